// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CreatorVault} from "contracts/CreatorVault.sol";

/// @notice Each function is one call from any state that the `require` allows, seen from any token and any account.
contract CreatorVaultSteps is CreatorVault {
    constructor(
        address hub_,
        address channels_,
        address canonical
    ) CreatorVault(hub_, channels_, canonical) {}

    function stepPay(address token, address to, uint128 amount, bytes32 memo, address t, address a) external {
        require(accounts[t][a].paid <= accounts[t][a].credited);
        (uint128 credited, uint128 paid) = (accounts[t][a].credited, accounts[t][a].paid);
        uint256 owedBefore = owed[t];
        pay(token, to, amount, memo);
        uint128 added = accounts[t][a].paid - paid;

        // pay: paid ≤ credited
        assert(accounts[t][a].paid <= accounts[t][a].credited);
        // pay: paid never falls
        assert(accounts[t][a].paid >= paid);
        // pay: credited is untouched
        assert(accounts[t][a].credited == credited);
        // pay: owed falls by what is paid
        assert(t != token || owedBefore - owed[t] == amount);
        // pay: paid rises by the amount, for the caller
        assert(t != token || a != msg.sender || added == amount);
        // pay: nobody else's account changes
        assert((t == token && a == msg.sender) || added == 0);
        // pay: reached
        assert(false);
    }

    function stepPayWithSignature(
        address account,
        address token,
        uint128 amount,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature,
        address t,
        address a,
        uint256 n
    ) external {
        require(accounts[t][a].paid <= accounts[t][a].credited);
        uint128 paid = accounts[t][a].paid;
        uint256 owedBefore = owed[t];
        bool usedBefore = nonceUsed[a][n];
        payWithSignature(account, token, msg.sender, amount, 0, nonce, deadline, signature);
        uint128 added = accounts[t][a].paid - paid;

        // payWithSignature: paid ≤ credited
        assert(accounts[t][a].paid <= accounts[t][a].credited);
        // payWithSignature: owed falls by what is paid
        assert(t != token || owedBefore - owed[t] == amount);
        // payWithSignature: nobody else's account changes
        assert((t == token && a == account) || added == 0);
        // payWithSignature: the nonce was free and is used
        assert(a != account || n != nonce || (!usedBefore && nonceUsed[a][n]));
        // payWithSignature: a used nonce stays used
        assert(!usedBefore || nonceUsed[a][n]);
        // payWithSignature: no payment after the deadline
        assert(block.timestamp <= deadline);
        // payWithSignature: reached
        assert(false);
    }

    function stepCancel(uint256 nonce, address a, uint256 n) external {
        bool usedBefore = nonceUsed[a][n];
        cancel(nonce);

        // cancel: a used nonce stays used
        assert(!usedBefore || nonceUsed[a][n]);
        // cancel: only the caller's nonce is used up
        assert(nonceUsed[a][n] == usedBefore || (a == msg.sender && n == nonce));
        // cancel: reached
        assert(false);
    }

    function stepCredit(address token, CreditRow[] calldata rows, bytes32 journal, address t) external {
        uint256 owedBefore = owed[t];
        credit(token, rows, journal);

        // credit: only the hub
        assert(msg.sender == hub);
        // credit: owed never falls
        assert(owed[t] >= owedBefore);
        // credit: owed of other tokens is untouched
        assert(t == token || owed[t] == owedBefore);
        // credit: reached
        assert(false);
    }
}
