// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {TestToken} from "./TestToken.sol";

/// @title HostileToken
/// @notice A test token that can be told to answer false, to block holders, and to change balances by itself.
contract HostileToken is TestToken {
    uint8 private immutable _DECIMALS;

    /// @notice Whether it answers false instead of moving anything.
    bool public answersFalse;

    /// @notice Whether an address can neither send nor receive.
    mapping(address account => bool blocked) public isBlocked;

    /// @notice Somebody is blocked.
    /// @param account Who.
    error Blocked(address account);

    /// @notice Deploys the token.
    /// @param decimals_ How many digits it shows after the point.
    constructor(uint8 decimals_) {
        _DECIMALS = decimals_;
    }

    /// @notice Makes it answer false, or no longer.
    /// @param whether Which.
    function answerFalse(bool whether) external {
        answersFalse = whether;
    }

    /// @notice Blocks an address, or no longer.
    /// @param account The address.
    /// @param blocked Which.
    function block_(address account, bool blocked) external {
        isBlocked[account] = blocked;
    }

    /// @notice Changes what a holder has, without a transfer of theirs.
    /// @param holder The holder.
    /// @param amount What it has from now on.
    function rebase(address holder, uint256 amount) external {
        uint256 held = balanceOf(holder);
        if (amount > held) _mint(holder, amount - held);
        else _burn(holder, held - amount);
    }

    /// @inheritdoc ERC20
    function transfer(address to, uint256 value) public override returns (bool) {
        return !answersFalse && super.transfer(to, value);
    }

    /// @inheritdoc ERC20
    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return !answersFalse && super.transferFrom(from, to, value);
    }

    /// @inheritdoc ERC20
    function decimals() public view override returns (uint8) {
        return _DECIMALS;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (isBlocked[from]) revert Blocked(from);
        if (isBlocked[to]) revert Blocked(to);
        super._update(from, to, value);
    }
}
