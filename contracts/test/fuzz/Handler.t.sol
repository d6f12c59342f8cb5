// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICreatorVault} from "../../interfaces/ICreatorVault.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Permit2Actions} from "./Permit2Actions.t.sol";
import {TickActions} from "./TickActions.t.sol";

/// @notice What can be done to channels, and everything that can be done to the vault and the hub account.
contract Handler is TickActions, Permit2Actions {
    uint256 private _nonces;

    /* ACTIONS */

    /// @notice The hub credits a creator, with what it has or with more, which is refused.
    function credit(uint8 token, uint8 who, uint256 seed, bool isTooMuch) external observed {
        address asset = address(tokens[token % 2]);
        address account = creators[who % 4];
        uint256 free =
            _held(asset) -
                _owed(asset) +
                claimedFor[asset][address(vault)] -
                settledTo[asset][address(vault)];
        uint256 more = isTooMuch ? free + 1 : _between(seed, 0, free);
        uint128 total = creditedTo[asset][account] + uint128(more);

        _require(_credit(asset, account, total) != isTooMuch, "credit");
        if (isTooMuch) return;
        _settled(address(vault), asset);
        creditedTo[asset][account] = total;
    }

    /// @notice A credit that is not above what the account has been credited changes nothing but settles.
    function creditLess(uint8 token, uint8 who, uint256 seed) external observed {
        address asset = address(tokens[token % 2]);
        address account = creators[who % 4];
        uint128 total = uint128(_between(seed, 0, creditedTo[asset][account]));

        _require(_credit(asset, account, total), "credit of less");
        _settled(address(vault), asset);
    }

    /// @notice A creator pays, or wants more than it has, which is refused.
    function pay(uint8 token, uint8 who, uint8 toSeed, uint256 seed, bool isTooMuch) external observed {
        address asset = address(tokens[token % 2]);
        address account = creators[who % 4];
        uint128 available = creditedTo[asset][account] - paidBy[asset][account];
        if (available == 0 && !isTooMuch) return;
        uint128 amount = isTooMuch ? available + 1 : uint128(_between(seed, 1, available));
        address to = _recipient(toSeed);

        bool succeeded = _callAs(account, address(vault), abi.encodeCall(vault.pay, (asset, to, amount, "")));
        _require(succeeded != isTooMuch, "pay");
        if (succeeded) _paid(asset, account, to, amount);
    }

    /// @notice Anyone relays a creator's payment, which works once; nobody can sign it for them.
    function payWithSignature(
        uint8 token,
        uint8 who,
        uint8 toSeed,
        uint256 seed,
        bool isForged
    ) external observed {
        address asset = address(tokens[token % 2]);
        address account = creators[who % 4];
        uint128 available = creditedTo[asset][account] - paidBy[asset][account];
        if (available == 0) return;
        uint128 amount = uint128(_between(seed, 1, available));
        address to = _recipient(toSeed);

        bytes memory data = _payment(asset, who, to, amount, isForged, block.timestamp);
        bool succeeded = _callAs(CHEATS.addr(STRANGER_KEY), address(vault), data);
        _require(succeeded != isForged, "payWithSignature");
        if (!succeeded) return;
        _paid(asset, account, to, amount);
        _require(!_callAs(CHEATS.addr(STRANGER_KEY), address(vault), data), "a payment was replayed");
    }

    /// @notice A creator takes a nonce back: the payment signed with it is worthless.
    function cancel(uint8 token, uint8 who) external observed {
        address asset = address(tokens[token % 2]);
        bytes memory data = _payment(asset, who, MERCHANT, 1, false, block.timestamp);
        CHEATS.prank(creators[who % 4]);
        vault.cancel(_nonces);
        _require(!_callAs(CHEATS.addr(STRANGER_KEY), address(vault), data), "a cancelled payment was made");
    }

    /// @notice A payment is refused when its deadline has passed.
    function payLate(uint8 token, uint8 who) external observed {
        address asset = address(tokens[token % 2]);
        bytes memory data = _payment(asset, who, MERCHANT, 1, false, block.timestamp - 1);
        _require(!_callAs(CHEATS.addr(STRANGER_KEY), address(vault), data), "a late payment was made");
    }

    /// @notice Somebody sends tokens to the vault; they are owed to nobody until the hub credits them.
    function sendToVault(uint8 token, uint256 seed) external observed {
        address asset = address(tokens[token % 2]);
        address sender = CHEATS.addr(STRANGER_KEY);
        uint128 amount = _amount(seed);
        if (wallets[asset][sender] < amount) return;

        CHEATS.prank(sender);
        tokens[token % 2].transfer(address(vault), amount);
        _move(asset, sender, address(vault), amount);
    }

    /// @notice The admin replaces the operator; the old one is refused everywhere from then on.
    function rotateOperator(uint256 seed) external observed {
        uint256 oldKey = operatorKey;
        uint256 newKey = _between(seed, 1, 1 << 200);
        if (newKey == oldKey || newKey == STRANGER_KEY || CHEATS.addr(newKey) == claimer) return;

        CHEATS.prank(ADMIN);
        hub.setOperator(CHEATS.addr(newKey));
        operatorKey = newKey;
        bytes32 digest = keccak256(abi.encode(seed));
        _require(!_run(CHEATS.addr(oldKey), address(vault), _creditNothing()), "an old operator was obeyed");
        _require(
            hub.isValidSignature(digest, _sign(newKey, digest)) == IERC1271.isValidSignature.selector,
            "the operator's signature"
        );
        _require(
            hub.isValidSignature(digest, _sign(oldKey, digest)) != IERC1271.isValidSignature.selector,
            "an old operator's signature"
        );
    }

    /// @notice The admin replaces the claimer; the old one is refused from then on.
    function rotateClaimer(uint160 seed) external observed {
        address old = claimer;
        if (address(seed) == old || address(seed) == CHEATS.addr(operatorKey)) return;

        CHEATS.prank(ADMIN);
        hub.setClaimer(old, false);
        CHEATS.prank(ADMIN);
        hub.setClaimer(address(seed), true);
        claimer = address(seed);
        bytes memory settleVault = abi.encodeCall(channels.settle, (address(vault), address(tokens[0])));
        _require(!_run(old, address(channels), settleVault), "an old claimer was obeyed");
        _require(_run(claimer, address(channels), settleVault), "the claimer settles");
        _settled(address(vault), address(tokens[0]));
    }

    /// @notice What nobody may do: a claimer beyond claims, the operator beyond its targets, a stranger anything.
    function trespass(uint256 index, uint8 token) external observed {
        address asset = address(tokens[token % 2]);
        address operator = CHEATS.addr(operatorKey);
        address stranger = CHEATS.addr(STRANGER_KEY);
        bytes memory refundAll = abi.encodeCall(channels.refund, (lines[index % 3].config, 1));
        bytes memory steal = abi.encodeCall(vault.pay, (asset, stranger, 1, ""));

        _require(!_run(claimer, address(channels), refundAll), "a claimer refunded");
        _require(!_run(claimer, address(vault), _creditNothing()), "a claimer credited");
        _require(!_run(stranger, address(vault), _creditNothing()), "a stranger ran");
        _require(
            !_run(operator, asset, abi.encodeCall(tokens[0].transfer, (stranger, 0))),
            "a foreign target"
        );
        _require(!_run(operator, address(vault), steal), "the hub paid out of its vault");
        _require(!_callAs(operator, address(vault), _creditNothing()), "the operator credited by itself");
        _require(
            !_callAs(stranger, address(hub), abi.encodeCall(hub.setOperator, (stranger))),
            "a key was taken"
        );
    }

    /* PRIVATE */

    function _paid(address asset, address account, address to, uint128 amount) private {
        paidBy[asset][account] += amount;
        _move(asset, address(vault), to, amount);
    }

    function _credit(address asset, address account, uint128 total) private returns (bool succeeded) {
        ICreatorVault.CreditRow[] memory rows = new ICreatorVault.CreditRow[](1);
        rows[0] = ICreatorVault.CreditRow(account, total);
        bytes memory data = abi.encodeCall(vault.credit, (asset, rows, keccak256("journal")));
        return _run(CHEATS.addr(operatorKey), address(vault), data);
    }

    /// @dev The call of a payment signed by a creator, or by a stranger, with a fresh nonce.
    function _payment(
        address asset,
        uint8 who,
        address to,
        uint128 amount,
        bool isForged,
        uint256 deadline
    ) private returns (bytes memory) {
        address account = creators[who % 4];
        uint256 nonce = ++_nonces;
        bytes32 digest = vault.getPaymentDigest(account, asset, to, amount, "", nonce, deadline);
        bytes memory signature = _sign(isForged ? STRANGER_KEY : creatorKeys[who % 4], digest);
        return
            abi.encodeCall(
                vault.payWithSignature,
                (account, asset, to, amount, "", nonce, deadline, signature)
            );
    }

    function _creditNothing() private view returns (bytes memory) {
        return abi.encodeCall(vault.credit, (address(tokens[0]), new ICreatorVault.CreditRow[](0), ""));
    }

    /// @dev Creators are paid, or pay on to a fan, a merchant, or their hub, which must give nothing for it.
    function _recipient(uint8 seed) private view returns (address) {
        if (seed % 8 == 0) return lines[0].config.payer;
        if (seed % 8 == 1) return MERCHANT;
        return creators[seed % 4];
    }

    function _held(address asset) private view returns (uint256) {
        return wallets[asset][address(vault)];
    }

    function _owed(address asset) private view returns (uint256 sum) {
        for (uint256 i = 0; i < 4; ++i) {
            sum += creditedTo[asset][creators[i]] - paidBy[asset][creators[i]];
        }
    }
}
