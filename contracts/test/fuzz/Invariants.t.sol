// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CreatorVault} from "../../CreatorVault.sol";
import {PaymentChannels} from "../../PaymentChannels.sol";
import {TestToken} from "../TestToken.sol";
import {Handler} from "./Handler.t.sol";
import {ICheats, World} from "./World.t.sol";

/// @notice The invariants of PROTOCOL.md that concern contracts, after each of a random sequence of calls.
contract Invariants {
    /* CONSTANTS */

    ICheats private constant _CHEATS = ICheats(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant _LINES = 8;

    /* STORAGE */

    Handler public handler;
    PaymentChannels private _channels;
    CreatorVault private _vault;

    /* SET-UP */

    function setUp() external {
        handler = new Handler();
        _channels = handler.channels();
        _vault = handler.vault();
    }

    /* INVARIANTS */

    /// @notice I8: from here, without the hub, every payer gets all that is unclaimed and every creator all that is
    /// credited. What this changes is taken back afterwards, so that each state that is reached is asked.
    function invariant_I8_exits() external {
        _withdrawAll();
        _withdrawAll();
        for (uint256 i = 0; i < _LINES; ++i) {
            (World.Line memory line, ) = handler.lineAt(i);
            (uint128 balance, uint128 claimed) = _channels.channels(line.id);
            _equal(balance, claimed, "I8: left on a channel");
        }
        for (uint256 t = 0; t < 2; ++t) {
            address token = address(handler.tokens(t));
            _channels.settle(address(_vault), token);
            _channels.settle(_merchant(), token);
            _equal(TestToken(token).balanceOf(address(_channels)), 0, "I8: left in PaymentChannels");

            for (uint256 i = 0; i < 4; ++i) _payAll(token, handler.creators(i));
            _equal(_vault.owed(token), 0, "I8: left in CreatorVault");
        }
    }

    /// @notice Whom the fuzzer calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @notice I1: the tokens held are what is unclaimed on channels and unsettled for receivers.
    function invariant_I1_solvency() external view {
        for (uint256 t = 0; t < 2; ++t) {
            TestToken token = handler.tokens(t);
            uint256 sum = _unsettled(address(_vault), address(token));
            sum += _unsettled(_merchant(), address(token));
            for (uint256 i = 0; i < _LINES; ++i) {
                (World.Line memory line, ) = handler.lineAt(i);
                if (line.config.token != address(token)) continue;
                (uint128 balance, uint128 claimed) = _channels.channels(line.id);
                sum += balance - claimed;
            }
            _equal(token.balanceOf(address(_channels)), sum, "I1: held by PaymentChannels");
        }
    }

    /// @notice I2: claimed is within what was signed and within the balance, and each channel is what its history says.
    function invariant_I2_channels() external view {
        for (uint256 i = 0; i < _LINES; ++i) {
            (World.Line memory line, World.ChannelGhost memory ghost) = handler.lineAt(i);
            (uint128 balance, uint128 claimed) = _channels.channels(line.id);
            _require(claimed <= balance, "I2: claimed above balance");
            _require(claimed <= ghost.ceiling, "I2: claimed above what was signed");
            _equal(balance, ghost.balance, "I2: balance");
            _equal(claimed, ghost.claimed, "I2: claimed");
            (uint128 pending, uint40 initiatedAt) = _channels.pendingWithdrawals(line.id);
            _equal(pending, ghost.pending, "I2: pending withdrawal");
            _equal(initiatedAt, ghost.initiatedAt, "I2: time of the pending withdrawal");
            _equal(_channels.refundNonce(line.id), ghost.nonce, "I2: refund nonce");
        }
    }

    /// @notice I3: claimed, settled, credited, paid and nonces never fall.
    function invariant_I3_monotonicity() external view {
        _require(bytes(handler.fallen()).length == 0, handler.fallen());
    }

    /// @notice I6: the vault holds what it owes, which is credited less paid, and no account paid more than it has.
    function invariant_I6_vault() external view {
        for (uint256 t = 0; t < 2; ++t) {
            TestToken token = handler.tokens(t);
            uint256 owed = 0;
            for (uint256 i = 0; i < 4; ++i) {
                address creator = handler.creators(i);
                (uint128 credited, uint128 paid) = _vault.accounts(address(token), creator);
                _require(paid <= credited, "I6: paid above credited");
                _equal(credited, handler.creditedTo(address(token), creator), "I6: credited");
                _equal(paid, handler.paidBy(address(token), creator), "I6: paid");
                owed += credited - paid;
            }
            _equal(_vault.owed(address(token)), owed, "I6: owed");
            _require(token.balanceOf(address(_vault)) >= owed, "I6: owed above held");
        }
    }

    /// @notice I8: every party holds what the calls so far gave it, and together they hold all there is.
    function invariant_I8_conservation() external view {
        uint256 count = handler.partyCount();
        for (uint256 t = 0; t < 2; ++t) {
            TestToken token = handler.tokens(t);
            uint256 sum = 0;
            for (uint256 i = 0; i < count; ++i) {
                address party = handler.parties(i);
                uint256 held = token.balanceOf(party);
                _equal(held, handler.wallets(address(token), party), "I8: wallet");
                sum += held;
            }
            _equal(sum, token.totalSupply(), "I8: all wallets together");
            _equal(token.balanceOf(address(handler.hub())), 0, "I8: held by the hub account");
            _equal(token.balanceOf(address(handler.collector())), 0, "I8: held by the collector");
            _equal(
                token.balanceOf(address(handler.permit2Collector())),
                0,
                "I8: held by the Permit2 collector"
            );
        }
    }

    /* PRIVATE */

    /// @dev Each payer starts a withdrawal of everything, unless one is pending, and ends it when it can. Twice is
    /// enough.
    function _withdrawAll() private {
        for (uint256 i = 0; i < _LINES; ++i) {
            (World.Line memory line, ) = handler.lineAt(i);
            (uint128 balance, uint128 claimed) = _channels.channels(line.id);
            (, uint40 initiatedAt) = _channels.pendingWithdrawals(line.id);
            if (initiatedAt != 0 || balance == claimed) continue;
            _CHEATS.prank(line.config.payer);
            _channels.initiateWithdraw(line.config, balance - claimed);
        }
        _CHEATS.warp(block.timestamp + 30 days);
        for (uint256 i = 0; i < _LINES; ++i) {
            (World.Line memory line, ) = handler.lineAt(i);
            (, uint40 initiatedAt) = _channels.pendingWithdrawals(line.id);
            if (initiatedAt == 0) continue;
            (uint128 balance, uint128 claimed) = _channels.channels(line.id);
            (uint128 pending, ) = _channels.pendingWithdrawals(line.id);
            uint256 before = TestToken(line.config.token).balanceOf(line.config.payer);
            _CHEATS.prank(line.config.payer);
            _channels.finalizeWithdraw(line.config);
            uint256 got = TestToken(line.config.token).balanceOf(line.config.payer) - before;
            _equal(got, pending < balance - claimed ? pending : balance - claimed, "I8: withdrawn");
        }
    }

    function _payAll(address token, address creator) private {
        (uint128 credited, uint128 paid) = _vault.accounts(token, creator);
        if (credited == paid) return;
        uint256 before = TestToken(token).balanceOf(creator);
        _CHEATS.prank(creator);
        _vault.pay(token, creator, credited - paid, "");
        _equal(TestToken(token).balanceOf(creator) - before, credited - paid, "I8: paid out");
    }

    function _merchant() private view returns (address) {
        (World.Line memory line, ) = handler.lineAt(4);
        return line.config.receiver;
    }

    function _unsettled(address receiver, address token) private view returns (uint256) {
        (uint128 claimed, uint128 settled) = _channels.receivers(receiver, token);
        return claimed - settled;
    }

    function _equal(uint256 actual, uint256 expected, string memory what) private pure {
        _require(actual == expected, what);
    }

    function _require(bool fact, string memory what) private pure {
        // The tests' own failures are strings, so that the report says what went wrong.
        // solhint-disable-next-line gas-custom-errors
        require(fact, what);
    }
}
