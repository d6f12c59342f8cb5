// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../interfaces/IPaymentChannels.sol";
import {World} from "./World.t.sol";

/// @notice Everything that can be done to a channel. Each action is bounded so that it must succeed, or must be
/// refused, and says which; an action that finds nothing to do does nothing.
abstract contract ChannelActions is World {
    uint256 private _authorizations;

    modifier observed() {
        _;
        _observe();
    }

    /* ACTIONS */

    /// @notice The payer, or a stranger in the payer's name, deposits by allowance.
    function depositDirect(uint256 index, uint256 seed, bool isStranger) external observed {
        Line storage line = lines[index % lines.length];
        uint128 amount = _amount(seed);
        address sender = isStranger ? CHEATS.addr(STRANGER_KEY) : line.config.payer;
        if (wallets[line.config.token][sender] < amount) return;

        CHEATS.prank(sender);
        channels.depositDirect(line.config, amount);
        _deposited(index % lines.length, sender, amount);
    }

    /// @notice The payer deposits by an ERC-3009 signature, which works once.
    function depositBySignature(uint256 index, uint256 seed) external observed {
        Line storage line = lines[index % lines.length];
        uint128 amount = _amount(seed);
        if (wallets[line.config.token][line.config.payer] < amount) return;

        bytes memory data = _authorize(line, amount, ++_authorizations);
        channels.deposit(line.config, amount, address(collector), data);
        _deposited(index % lines.length, line.config.payer, amount);
        try channels.deposit(line.config, amount, address(collector), data) {
            _require(false, "an authorization was spent twice");
        } catch {
            return;
        }
    }

    /// @notice The receiver side claims; a wrong signature, or a claim above maximum or balance, is refused.
    function claim(uint256 index, uint256 maxSeed, uint256 totalSeed, uint8 fault) external observed {
        IPaymentChannels.VoucherClaim[] memory batch = new IPaymentChannels.VoucherClaim[](1);
        Line storage line = lines[index % lines.length];
        ChannelGhost storage ghost = ghosts[index % lines.length];
        bool isGood;
        (batch[0], isGood) = _voucherClaim(line, ghost, maxSeed, totalSeed, fault);

        bool succeeded = _callAsReceiverSide(line, abi.encodeCall(channels.claim, (batch)));
        _require(succeeded == isGood, "claim");
        if (isGood) _claimed(line, ghost, batch[0].totalClaimed);
    }

    /// @notice Anyone claims with the receiver authorizer's signature of the batch.
    function claimWithSignature(
        uint256 index,
        uint256 maxSeed,
        uint256 totalSeed,
        bool isForged
    ) external observed {
        IPaymentChannels.VoucherClaim[] memory batch = new IPaymentChannels.VoucherClaim[](1);
        Line storage line = lines[index % lines.length];
        ChannelGhost storage ghost = ghosts[index % lines.length];
        bool isGood;
        (batch[0], isGood) = _voucherClaim(line, ghost, maxSeed, totalSeed, 3);
        uint256 key = isForged ? STRANGER_KEY : _authorizerKey(line);
        bytes memory signature = _sign(key, channels.getClaimBatchDigest(batch));

        bool succeeded = _callAs(
            CHEATS.addr(STRANGER_KEY),
            address(channels),
            abi.encodeCall(channels.claimWithSignature, (batch, signature))
        );
        _require(succeeded == (isGood && !isForged), "claimWithSignature");
        if (succeeded) _claimed(line, ghost, batch[0].totalClaimed);
    }

    /// @notice A packed claim of up to four rows, good and bad ones: the good ones count.
    function claimPacked(bool isHubs, uint256 count, uint256 seed, bool byClaimer) external observed {
        bytes memory rows;
        uint256 length = _between(count, 1, 4);
        uint128 sum = 0;
        for (uint256 i = 0; i < length; ++i) {
            uint256 rowSeed = uint256(keccak256(abi.encode(seed, i)));
            uint256 index = isHubs ? rowSeed % 3 : 4 + (rowSeed % 2);
            (bytes memory row, uint128 added) = _packedRow(index, rowSeed >> 8);
            rows = bytes.concat(rows, row);
            sum += added;
        }

        Line storage line = lines[isHubs ? 0 : 4];
        uint128 before = _receiverClaimed(line);
        IPaymentChannels.ChannelConfig memory config = line.config;
        bytes memory data = abi.encodeCall(
            channels.claimPacked,
            (config.receiver, config.receiverAuthorizer, config.token, config.withdrawDelay, rows)
        );
        bool succeeded =
            isHubs && byClaimer ? _run(claimer, address(channels), data) : _callAsReceiverSide(line, data);
        _require(succeeded, "claimPacked");
        _require(_receiverClaimed(line) - before == sum, "sum of a packed claim");
    }

    /// @notice Anyone settles.
    function settle(bool toVault, uint8 token) external observed {
        address receiver = toVault ? address(vault) : MERCHANT;
        address asset = address(tokens[token % 2]);
        channels.settle(receiver, asset);
        _settled(receiver, asset);
    }

    /// @notice The payer, or the payer's authorizer, starts a withdrawal; a second one is refused.
    function initiateWithdraw(uint256 index, uint256 seed, bool byAuthorizer) external observed {
        Line storage line = lines[index % lines.length];
        ChannelGhost storage ghost = ghosts[index % lines.length];
        uint128 available = ghost.balance - ghost.claimed;
        if (available == 0) return;

        uint128 amount = uint128(_between(seed, 1, available));
        address sender =
            byAuthorizer && line.config.payerAuthorizer != address(0)
                ? line.config.payerAuthorizer
                : line.config.payer;
        bool succeeded = _callAs(
            sender,
            address(channels),
            abi.encodeCall(channels.initiateWithdraw, (line.config, amount))
        );
        _require(succeeded == (ghost.initiatedAt == 0), "initiateWithdraw");
        if (!succeeded) return;
        ghost.pending = amount;
        ghost.initiatedAt = uint40(block.timestamp);
    }

    /// @notice The payer ends a withdrawal, not before its delay has passed.
    function finalizeWithdraw(uint256 index) external observed {
        Line storage line = lines[index % lines.length];
        ChannelGhost storage ghost = ghosts[index % lines.length];
        bool isDue =
            ghost.initiatedAt != 0 && block.timestamp >= ghost.initiatedAt + line.config.withdrawDelay;

        bool succeeded = _callAs(
            line.config.payer,
            address(channels),
            abi.encodeCall(channels.finalizeWithdraw, (line.config))
        );
        _require(succeeded == isDue, "finalizeWithdraw");
        if (!succeeded) return;
        uint128 amount = _least(ghost.pending, ghost.balance - ghost.claimed);
        ghost.balance -= amount;
        ghost.pending = 0;
        ghost.initiatedAt = 0;
        _move(line.config.token, address(channels), line.config.payer, amount);
    }

    /// @notice The receiver side refunds.
    function refund(uint256 index, uint256 seed) external observed {
        Line storage line = lines[index % lines.length];
        uint128 amount = _amount(seed);

        bool succeeded = _callAsReceiverSide(line, abi.encodeCall(channels.refund, (line.config, amount)));
        _require(succeeded, "refund");
        _refunded(index % lines.length, amount);
    }

    /// @notice Anyone refunds with the receiver authorizer's signature, which works once.
    function refundWithSignature(uint256 index, uint256 seed, bool isForged) external observed {
        Line storage line = lines[index % lines.length];
        uint128 amount = _amount(seed);
        uint256 nonce = ghosts[index % lines.length].nonce;
        bytes32 digest = channels.getRefundDigest(line.id, nonce, amount);
        bytes memory data = abi.encodeCall(
            channels.refundWithSignature,
            (line.config, amount, nonce, _sign(isForged ? STRANGER_KEY : _authorizerKey(line), digest))
        );

        bool succeeded = _callAs(CHEATS.addr(STRANGER_KEY), address(channels), data);
        _require(succeeded != isForged, "refundWithSignature");
        if (!succeeded) return;
        _refunded(index % lines.length, amount);
        _require(!_callAs(CHEATS.addr(STRANGER_KEY), address(channels), data), "a refund was replayed");
    }

    /// @notice Time passes: an hour at most, or up to 31 days.
    function wait(uint256 seed) external {
        CHEATS.warp(
            block.timestamp + (seed % 4 == 0 ? _between(seed, 1, 31 days) : _between(seed, 1, 1 hours))
        );
    }

    /// @notice A stranger tries what only the parties of a channel may do.
    function intrude(uint256 index, uint256 seed) external observed {
        IPaymentChannels.VoucherClaim[] memory batch = new IPaymentChannels.VoucherClaim[](1);
        Line storage line = lines[index % lines.length];
        (batch[0], ) = _voucherClaim(line, ghosts[index % lines.length], seed, seed >> 8, 3);
        IPaymentChannels.ChannelConfig memory config = line.config;
        address stranger = CHEATS.addr(STRANGER_KEY);

        _refuse(stranger, abi.encodeCall(channels.claim, (batch)));
        _refuse(config.payer, abi.encodeCall(channels.claim, (batch)));
        _refuse(stranger, abi.encodeCall(channels.refund, (config, 1)));
        _refuse(config.payer, abi.encodeCall(channels.refund, (config, 1)));
        _refuse(stranger, abi.encodeCall(channels.initiateWithdraw, (config, 1)));
        _refuse(config.receiver, abi.encodeCall(channels.initiateWithdraw, (config, 1)));
        _refuse(stranger, abi.encodeCall(channels.finalizeWithdraw, (config)));
        (bytes memory row, ) = _packedRow(0, (seed & ~uint256(7)) | 2);
        _refuse(
            stranger,
            abi.encodeCall(
                channels.claimPacked,
                (config.receiver, config.receiverAuthorizer, config.token, config.withdrawDelay, row)
            )
        );
    }

    /* INTERNAL */

    function _deposited(uint256 index, address sender, uint128 amount) internal {
        ghosts[index].balance += amount;
        _move(lines[index].config.token, sender, address(channels), amount);
    }

    function _claimed(Line storage line, ChannelGhost storage ghost, uint128 total) internal {
        if (total <= ghost.claimed) return;
        claimedFor[line.config.token][line.config.receiver] += total - ghost.claimed;
        ghost.claimed = total;
    }

    function _settled(address receiver, address token) internal {
        uint128 amount = claimedFor[token][receiver] - settledTo[token][receiver];
        settledTo[token][receiver] += amount;
        _move(token, address(channels), receiver, amount);
    }

    function _least(uint128 a, uint128 b) internal pure returns (uint128) {
        return a < b ? a : b;
    }

    /* PRIVATE: GHOSTS */

    function _refunded(uint256 index, uint128 requested) private {
        ChannelGhost storage ghost = ghosts[index];
        ++ghost.nonce;
        uint128 amount = _least(requested, ghost.balance - ghost.claimed);
        ghost.balance -= amount;
        if (amount >= ghost.pending) {
            // Nothing that is sent covers no withdrawal, since none of zero can be pending.
            if (amount > 0) ghost.initiatedAt = 0;
            ghost.pending = amount > 0 ? 0 : ghost.pending;
        } else ghost.pending -= amount;
        _move(lines[index].config.token, address(channels), lines[index].config.payer, amount);
    }

    function _refuse(address sender, bytes memory data) private {
        _require(!_callAs(sender, address(channels), data), "a stranger was obeyed");
    }

    /* PRIVATE: ARGUMENTS */

    /// @dev A row of `claim`, and whether it must be taken. Faults: 0 foreign signature, 1 above maximum, 2 above
    /// balance.
    function _voucherClaim(
        Line storage line,
        ChannelGhost storage ghost,
        uint256 maxSeed,
        uint256 totalSeed,
        uint8 fault
    ) private returns (IPaymentChannels.VoucherClaim memory row, bool isGood) {
        uint128 max = uint128(_between(maxSeed, 0, uint256(ghost.balance) + 1_000));
        uint128 total = uint128(_between(totalSeed, 0, _least(max, ghost.balance)));
        if (fault % 8 == 1) total = max + 1;
        if (fault % 8 == 2) (max, total) = (ghost.balance + 1, ghost.balance + 1);
        uint256 key = fault % 8 == 0 ? STRANGER_KEY : line.voucherKey;
        row.voucher.channel = line.config;
        row.voucher.maxClaimableAmount = max;
        row.totalClaimed = total;
        row.signature = _sign(key, channels.getVoucherDigest(line.id, max));
        if (key != STRANGER_KEY && max > ghost.ceiling) ghost.ceiling = max;
        isGood = fault % 8 > 2 || total <= ghost.claimed;
    }

    /// @dev A row of `claimPacked`, and what it must add. Of eight kinds five are faulty.
    function _packedRow(uint256 index, uint256 seed) private returns (bytes memory row, uint128 added) {
        IPaymentChannels.ChannelConfig memory config = lines[index].config;
        ChannelGhost storage ghost = ghosts[index];
        uint256 kind = seed % 8;
        uint128 max = uint128(_between(seed >> 3, 0, uint256(ghost.balance) * 2 + 10));
        uint128 total = uint128(_between(seed >> 131, 0, max));
        bytes32 tipsHash = kind % 2 == 0 ? bytes32(0) : keccak256(abi.encode(seed));
        if (kind == 3) total = max + 1;
        if (kind == 4) config.payerAuthorizer = address(0);
        if (kind == 5) config.salt = bytes32(uint256(1_000));

        bytes32 id = channels.getChannelId(config);
        (bytes32 r, bytes32 vs) = _signRow(
            kind == 2 ? STRANGER_KEY : lines[index].voucherKey,
            id,
            max,
            tipsHash
        );
        // A voucher without tips is no voucher with tips.
        if (kind == 6) tipsHash = keccak256("tips");
        row = abi.encodePacked(
            config.payer,
            config.payerAuthorizer,
            max,
            total,
            config.salt,
            tipsHash,
            r,
            vs
        );
        if (kind == 3 || kind == 4 || kind == 5 || kind == 2 || kind == 6) return (row, 0);

        if (max > ghost.ceiling) ghost.ceiling = max;
        uint128 before = ghost.claimed;
        _claimed(lines[index], ghost, _least(total, ghost.balance));
        added = ghost.claimed - before;
    }

    function _signRow(
        uint256 key,
        bytes32 id,
        uint128 max,
        bytes32 tipsHash
    ) private view returns (bytes32 r, bytes32 vs) {
        bytes32 digest =
            tipsHash == 0
                ? channels.getVoucherDigest(id, max)
                : channels.getTipVoucherDigest(id, max, tipsHash);
        uint8 v;
        bytes32 s;
        (v, r, s) = CHEATS.sign(key, digest);
        vs = bytes32(uint256(s) | (uint256(v - 27) << 255));
    }

    function _authorizerKey(Line storage line) private view returns (uint256) {
        return line.isHubs ? operatorKey : MERCHANT_KEY;
    }

    function _receiverClaimed(Line storage line) private view returns (uint128 claimed) {
        (claimed, ) = channels.receivers(line.config.receiver, line.config.token);
    }
}
