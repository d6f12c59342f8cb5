// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Frame, Row} from "contracts/PackedClaims.sol";
import {PaymentChannels} from "contracts/PaymentChannels.sol";

/// @notice Each function is one call, or one row of a batch, from any state that the `require` allows, seen from any
/// channel.
contract PaymentChannelsSteps is PaymentChannels {
    function stepClaim(VoucherClaim calldata row, bytes32 domain, bytes32 c, address r, address t) external {
        require(channels[c].totalClaimed <= channels[c].balance);
        (uint128 balance, uint128 claimed) = (channels[c].balance, channels[c].totalClaimed);
        (uint128 due, uint128 settled) = (receivers[r][t].totalClaimed, receivers[r][t].totalSettled);
        bool isReceiver = row.voucher.channel.receiver == r && row.voucher.channel.token == t;
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
        // claim: the receiver's claimed rises by what is added to the channel
        assert(added == 0 || !isReceiver || receivers[r][t].totalClaimed - due == added);
        // claim: no other receiver's claimed changes
        assert(isReceiver || receivers[r][t].totalClaimed == due);
        // claim: settled is untouched
        assert(receivers[r][t].totalSettled == settled);
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
        uint256 nonce = refundNonce[c];
        _refund(id, config, requested);

        // refund: claimed ≤ balance
        assert(channels[c].totalClaimed <= channels[c].balance);
        // refund: claimed is untouched
        assert(channels[c].totalClaimed == claimed);
        // refund: balance never rises
        assert(channels[c].balance <= balance);
        // refund: no more than requested leaves
        assert(balance - channels[c].balance <= requested);
        // refund: the nonce goes up by one, on that channel alone
        assert(refundNonce[c] == (c == id ? nonce + 1 : nonce));
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
        // settle: everything claimed is settled
        assert(r != receiver || t != token || receivers[r][t].totalSettled == claimed);
        // settle: reached
        assert(false);
    }

    function stepClaimTicks(TickClaim calldata tickClaim, bytes32 c, address r, address t) external {
        require(channels[c].totalClaimed <= channels[c].balance);
        (uint128 balance, uint128 claimed) = (channels[c].balance, channels[c].totalClaimed);
        uint128 due = receivers[r][t].totalClaimed;
        bool isReceiver = tickClaim.channel.receiver == r && tickClaim.channel.token == t;
        claimTicks(tickClaim);
        uint128 added = channels[c].totalClaimed - claimed;
        uint256 worth = uint256(tickClaim.terms.tickAmount) * tickClaim.ticks;

        // claimTicks: claimed ≤ balance
        assert(channels[c].totalClaimed <= channels[c].balance);
        // claimTicks: claimed never falls
        assert(channels[c].totalClaimed >= claimed);
        // claimTicks: balance is untouched
        assert(channels[c].balance == balance);
        // claimTicks: what is added is within base + ticks × tick
        assert(added == 0 || channels[c].totalClaimed <= tickClaim.terms.baseAmount + worth);
        // claimTicks: the receiver's claimed rises by what is added to the channel
        assert(added == 0 || !isReceiver || receivers[r][t].totalClaimed - due == added);
        // claimTicks: reached
        assert(false);
    }

    function stepInitiateWithdraw(ChannelConfig calldata config, uint128 amount, bytes32 c) external {
        (uint128 before, uint40 since) = (pendingWithdrawals[c].amount, pendingWithdrawals[c].initiatedAt);
        initiateWithdraw(config, amount);
        bool isNew = pendingWithdrawals[c].amount != before;

        // initiateWithdraw: a pending withdrawal is not replaced
        assert(since == 0 || (!isNew && pendingWithdrawals[c].initiatedAt == since));
        // initiateWithdraw: no more than is available
        assert(!isNew || pendingWithdrawals[c].amount <= channels[c].balance - channels[c].totalClaimed);
        // initiateWithdraw: reached
        assert(false);
    }

    function stepTicks(bytes32 id, TickClaim calldata tickClaim) external view {
        _checkTicks(id, tickClaim);
        uint256 worth = uint256(tickClaim.terms.tickAmount) * tickClaim.ticks;

        // checkTicks: total ≤ base + ticks × tick
        assert(tickClaim.totalClaimed <= tickClaim.terms.baseAmount + worth);
        // checkTicks: base + ticks × tick stays below 2^161
        assert(tickClaim.terms.baseAmount + worth < 2 ** 161);
        // checkTicks: ticks ≤ 1024
        assert(tickClaim.ticks <= 1024);
        // checkTicks: reached
        assert(false);
    }
}
