// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Frame, Row} from "contracts/PackedClaims.sol";
import {PaymentChannels} from "contracts/PaymentChannels.sol";

/// @notice Each function is one call, or one row of a batch, from any state that the `require` allows, seen from any
/// channel.
contract PaymentChannelsSteps is PaymentChannels {
    function stepClaim(VoucherClaim calldata row, bytes32 domain, bytes32 c) external {
        require(channels[c].totalClaimed <= channels[c].balance);
        (uint128 balance, uint128 claimed) = (channels[c].balance, channels[c].totalClaimed);
        _claim(row, domain);
        uint128 added = channels[c].totalClaimed - claimed;

        // claim: claimed ≤ balance
        assert(channels[c].totalClaimed <= channels[c].balance);
        // claim: claimed never falls
        assert(channels[c].totalClaimed >= claimed);
        // claim: balance is untouched
        assert(channels[c].balance == balance);
        // claim: what is added is within the voucher's maximum
        assert(added == 0 || channels[c].totalClaimed <= row.voucher.maxClaimableAmount);
        // claim: reached
        assert(false);
    }

    function stepClaimRow(Row row, Frame frame, bytes calldata entries, bytes32 c) external {
        require(channels[c].totalClaimed <= channels[c].balance);
        (uint128 balance, uint128 claimed) = (channels[c].balance, channels[c].totalClaimed);
        uint128 returned = _claimRow(row, 0, frame, entries);
        uint128 added = channels[c].totalClaimed - claimed;

        // claimPacked: claimed ≤ balance
        assert(channels[c].totalClaimed <= channels[c].balance);
        // claimPacked: claimed never falls
        assert(channels[c].totalClaimed >= claimed);
        // claimPacked: balance is untouched
        assert(channels[c].balance == balance);
        // claimPacked: a row returns what it adds
        assert(added == 0 || returned == added);
        // claimPacked: reached
        assert(false);
    }

    function stepRefund(bytes32 id, ChannelConfig calldata config, uint128 requested, bytes32 c) external {
        require(channels[c].totalClaimed <= channels[c].balance);
        (uint128 balance, uint128 claimed) = (channels[c].balance, channels[c].totalClaimed);
        _refund(id, config, requested);

        // refund: claimed ≤ balance
        assert(channels[c].totalClaimed <= channels[c].balance);
        // refund: claimed is untouched
        assert(channels[c].totalClaimed == claimed);
        // refund: balance never rises
        assert(channels[c].balance <= balance);
        // refund: no more than requested leaves
        assert(balance - channels[c].balance <= requested);
        // refund: reached
        assert(false);
    }

    function stepFinalizeWithdraw(ChannelConfig calldata config, bytes32 c) external {
        require(channels[c].totalClaimed <= channels[c].balance);
        (uint128 balance, uint128 claimed) = (channels[c].balance, channels[c].totalClaimed);
        uint128 pending = pendingWithdrawals[c].amount;
        finalizeWithdraw(config);

        // finalizeWithdraw: claimed ≤ balance
        assert(channels[c].totalClaimed <= channels[c].balance);
        // finalizeWithdraw: claimed is untouched
        assert(channels[c].totalClaimed == claimed);
        // finalizeWithdraw: no more than was pending leaves
        assert(channels[c].balance <= balance && balance - channels[c].balance <= pending);
        // finalizeWithdraw: reached
        assert(false);
    }

    function stepAddBalance(bytes32 id, ChannelConfig calldata config, uint128 amount, bytes32 c) external {
        require(channels[c].totalClaimed <= channels[c].balance);
        (uint128 balance, uint128 claimed) = (channels[c].balance, channels[c].totalClaimed);
        _addBalance(id, config, amount);

        // deposit: claimed ≤ balance
        assert(channels[c].totalClaimed <= channels[c].balance);
        // deposit: claimed is untouched
        assert(channels[c].totalClaimed == claimed);
        // deposit: balance rises by the amount, on that channel alone
        assert(channels[c].balance == (c == id ? uint256(balance) + amount : balance));
        // deposit: reached
        assert(false);
    }

    function stepSettle(address receiver, address token, address r, address t) external {
        require(receivers[r][t].totalSettled <= receivers[r][t].totalClaimed);
        (uint128 claimed, uint128 settled) = (receivers[r][t].totalClaimed, receivers[r][t].totalSettled);
        settle(receiver, token);

        // settle: settled ≤ claimed
        assert(receivers[r][t].totalSettled <= receivers[r][t].totalClaimed);
        // settle: settled never falls
        assert(receivers[r][t].totalSettled >= settled);
        // settle: claimed is untouched
        assert(receivers[r][t].totalClaimed == claimed);
        // settle: reached
        assert(false);
    }

    function stepTicks(bytes32 id, TickClaim calldata tickClaim) external view {
        _checkTicks(id, tickClaim);
        uint256 worth = uint256(tickClaim.terms.tickAmount) * tickClaim.ticks;

        // claimTicks: claimed ≤ base + ticks × tick
        assert(tickClaim.totalClaimed <= tickClaim.terms.baseAmount + worth);
        // claimTicks: base + ticks × tick stays below 2^161
        assert(tickClaim.terms.baseAmount + worth < 2 ** 161);
        // claimTicks: ticks ≤ 1024
        assert(tickClaim.ticks <= 1024);
        // claimTicks: reached
        assert(false);
    }
}
