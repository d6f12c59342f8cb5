// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPaymentChannels} from "../../interfaces/IPaymentChannels.sol";
import {ChannelActions} from "./ChannelActions.t.sol";

/// @notice What can be done with ticks. The chains are hashed here, from the sentence of the interface that says what a
/// link is; each is one link longer than its commitment, so that the preimage of one tick too many exists.
abstract contract TickActions is ChannelActions {
    /* CONSTANTS */

    /// @dev Beyond two turns of the unrolled loop, and cheap.
    uint256 private constant _MOST_TICKS = 40;

    /* ACTIONS */

    /// @notice The payer commits and releases some ticks, the receiver side claims some of what they are worth; a
    /// second time that adds nothing.
    function claimTicks(uint256 index, uint256 seed, bool byClaimer) external observed {
        index %= lines.length;
        ChannelGhost storage ghost = ghosts[index];
        uint128 base =
            seed % 2 == 0 ? ghost.claimed : uint128(_between(seed >> 1, 0, uint256(ghost.balance) + 10));
        (IPaymentChannels.TickTerms memory terms, bytes32 start) = _commit(index, base, seed);
        uint32 ticks = uint32(_between(seed >> 8, 0, terms.maxTicks));
        uint128 most = _least(_worth(terms, ticks), ghost.balance);
        uint128 total = seed % 3 == 0 ? most : uint128(_between(seed >> 16, 0, most));

        _take(index, _claimOf(index, terms, start, ticks, total), byClaimer);
        _take(index, _claimOf(index, terms, start, ticks, total), byClaimer);
    }

    /// @notice Two commitments on one base are worth the higher of the two, in any order.
    function claimTicksTwice(uint256 index, uint256 seed) external observed {
        index %= lines.length;
        uint256 other = uint256(keccak256(abi.encode(seed)));
        uint128 base = ghosts[index].claimed;
        (IPaymentChannels.TickTerms memory a, bytes32 startA) = _commit(index, base, seed);
        (IPaymentChannels.TickTerms memory b, bytes32 startB) = _commit(index, base, other);
        uint32 ticksA = uint32(_between(seed >> 8, 0, a.maxTicks));
        uint32 ticksB = uint32(_between(other >> 8, 0, b.maxTicks));
        uint128 totalA = _least(_worth(a, ticksA), ghosts[index].balance);
        uint128 totalB = _least(_worth(b, ticksB), ghosts[index].balance);

        _take(index, _claimOf(index, a, startA, ticksA, totalA), false);
        _take(index, _claimOf(index, b, startB, ticksB, totalB), false);
        _take(index, _claimOf(index, a, startA, ticksA, totalA), false);
        _require(ghosts[index].claimed == (totalA > totalB ? totalA : totalB), "ticks of two commitments");
    }

    /// @notice A claim beyond one of its limits is refused: the longest commitment, the ticks committed to, what they
    /// are worth, the balance.
    function claimTooManyTicks(uint256 index, uint256 seed, uint8 limit) external observed {
        index %= lines.length;
        ChannelGhost storage ghost = ghosts[index];
        uint128 free = ghost.balance - ghost.claimed;
        if (free == 0) return;
        (IPaymentChannels.TickTerms memory terms, bytes32 start) = _commit(index, ghost.claimed, seed);
        uint32 ticks = uint32(_between(seed >> 8, 1, terms.maxTicks));
        uint128 total = ghost.balance;
        terms.tickAmount = free + 1;
        bytes memory error;
        if (limit % 4 == 0) {
            terms.maxTicks = 1_025;
            error = abi.encodeWithSelector(IPaymentChannels.TooManyTicks.selector, 1_025);
        } else if (limit % 4 == 1) {
            ticks = terms.maxTicks + 1;
            error = abi.encodeWithSelector(
                IPaymentChannels.TicksAboveMaximum.selector,
                ticks,
                terms.maxTicks
            );
        } else if (limit % 4 == 2) {
            terms.tickAmount = free / (ticks + 1);
            total = _worth(terms, ticks) + 1;
            error = _amountError(IPaymentChannels.ClaimAboveMaximum.selector, index, total, total - 1);
        } else {
            ++total;
            error = _amountError(IPaymentChannels.ClaimAboveBalance.selector, index, total, total - 1);
        }
        IPaymentChannels.TickClaim memory asked = _claimOf(index, terms, start, ticks, total);
        if (limit % 4 == 0) asked.preimage = start;
        _refuseTicks(lines[index].config.receiver, asked, error, "ticks beyond a limit");
    }

    /// @notice A commitment that the payer side did not sign is refused: a stranger's, another channel's, one that was
    /// changed after signing.
    function claimUnsignedTicks(uint256 index, uint256 seed, uint8 fault) external observed {
        index %= lines.length;
        (bool isPossible, IPaymentChannels.TickClaim memory asked) = _honestClaim(index, seed);
        if (!isPossible) return;
        Line storage line = lines[index];
        bytes32 id = fault % 3 == 1 ? lines[(index + 1) % lines.length].id : line.id;
        uint256 key = fault % 3 == 0 ? STRANGER_KEY : line.voucherKey;
        asked.signature = _sign(key, channels.getTickCommitmentDigest(id, asked.terms));
        if (fault % 3 == 2) asked.terms.tickAmount += 1;

        address authorizer = line.config.payerAuthorizer;
        bytes memory error = abi.encodeWithSelector(
            IPaymentChannels.InvalidVoucherSignature.selector,
            line.id,
            authorizer == address(0) ? line.config.payer : authorizer
        );
        _refuseTicks(line.config.receiver, asked, error, "ticks that nobody signed");
    }

    /// @notice A preimage that does not lead to the root is refused: another tick's, or one of a chain for another
    /// channel or from another base, even when its root was signed for this one.
    function claimForeignTicks(uint256 index, uint256 seed, uint8 fault) external observed {
        index %= lines.length;
        (bool isPossible, IPaymentChannels.TickClaim memory asked) = _honestClaim(index, seed);
        if (!isPossible) return;
        Line storage line = lines[index];
        IPaymentChannels.TickTerms memory terms = asked.terms;
        if (fault % 3 == 0) {
            asked.preimage = _follow(asked.preimage, line.id, terms.baseAmount, 1);
        } else {
            bytes32 id = fault % 3 == 1 ? lines[(index + 1) % lines.length].id : line.id;
            uint128 base = fault % 3 == 1 ? terms.baseAmount : terms.baseAmount + 1;
            terms.root = _follow(asked.preimage, id, base, asked.ticks);
            asked.signature = _sign(line.voucherKey, channels.getTickCommitmentDigest(line.id, terms));
        }
        bytes32 end = _follow(asked.preimage, line.id, terms.baseAmount, asked.ticks);
        bytes memory error = abi.encodeWithSelector(IPaymentChannels.WrongPreimage.selector, terms.root, end);
        _refuseTicks(line.config.receiver, asked, error, "ticks of another chain");
    }

    /// @notice Nobody but the receiver side claims ticks, whatever they hold.
    function stealTicks(uint256 index, uint256 seed, bool byPayer) external observed {
        index %= lines.length;
        (bool isPossible, IPaymentChannels.TickClaim memory asked) = _honestClaim(index, seed);
        if (!isPossible) return;
        IPaymentChannels.ChannelConfig memory config = lines[index].config;
        address sender = byPayer ? config.payer : CHEATS.addr(STRANGER_KEY);
        bytes memory error = abi.encodeWithSelector(
            IPaymentChannels.NotReceiverSide.selector,
            sender,
            config.receiver,
            config.receiverAuthorizer
        );
        _refuseTicks(sender, asked, error, "ticks of others");
    }

    /* PRIVATE: CALLS */

    /// @dev Claims, notes that the payer released that many ticks, and looks at the total.
    function _take(uint256 index, IPaymentChannels.TickClaim memory asked, bool byClaimer) private {
        Line storage line = lines[index];
        ChannelGhost storage ghost = ghosts[index];
        bytes memory data = abi.encodeCall(channels.claimTicks, (asked));
        bool succeeded =
            byClaimer && line.isHubs
                ? _run(claimer, address(channels), data)
                : _callAsReceiverSide(line, data);
        _require(succeeded, "claimTicks");

        uint128 worth = _worth(asked.terms, asked.ticks);
        if (worth > ghost.ceiling) ghost.ceiling = worth;
        _claimed(line, ghost, asked.totalClaimed);
        (, uint128 claimed) = channels.channels(line.id);
        _require(claimed == ghost.claimed, "total claimed by ticks");
    }

    function _refuseTicks(
        address sender,
        IPaymentChannels.TickClaim memory asked,
        bytes memory error,
        string memory what
    ) private {
        _refuseWith(sender, address(channels), abi.encodeCall(channels.claimTicks, (asked)), error, what);
    }

    /* PRIVATE: ARGUMENTS */

    /// @dev Terms from `base` on, and where their chain begins: all ticks together are worth up to about twice what is
    /// unclaimed.
    function _commit(
        uint256 index,
        uint128 base,
        uint256 seed
    ) private view returns (IPaymentChannels.TickTerms memory terms, bytes32 start) {
        ChannelGhost storage ghost = ghosts[index];
        terms.to = bytes32(uint256(uint160(creators[seed % 4])));
        terms.baseAmount = base;
        terms.maxTicks = uint32(_between(seed >> 32, 1, _MOST_TICKS));
        uint256 free = ghost.balance - ghost.claimed;
        terms.tickAmount = uint128(_between(seed >> 64, 0, (2 * free) / terms.maxTicks + 3));
        start = keccak256(abi.encode("chain", seed));
        terms.root = _follow(start, lines[index].id, base, terms.maxTicks + 1);
    }

    /// @dev The claim of `ticks` of a chain that begins at `start`.
    function _claimOf(
        uint256 index,
        IPaymentChannels.TickTerms memory terms,
        bytes32 start,
        uint32 ticks,
        uint128 total
    ) private view returns (IPaymentChannels.TickClaim memory asked) {
        Line storage line = lines[index];
        asked.channel = line.config;
        asked.terms = terms;
        asked.signature = _sign(line.voucherKey, channels.getTickCommitmentDigest(line.id, terms));
        uint256 unpaid = terms.maxTicks + 1 > ticks ? terms.maxTicks + 1 - ticks : 0;
        if (terms.maxTicks <= _MOST_TICKS) asked.preimage = _follow(start, line.id, terms.baseAmount, unpaid);
        asked.ticks = ticks;
        asked.totalClaimed = total;
    }

    /// @dev A claim of everything unclaimed that could be taken as it is, if there is anything.
    function _honestClaim(
        uint256 index,
        uint256 seed
    ) private view returns (bool isPossible, IPaymentChannels.TickClaim memory asked) {
        ChannelGhost storage ghost = ghosts[index];
        uint128 free = ghost.balance - ghost.claimed;
        if (free == 0) return (false, asked);
        (IPaymentChannels.TickTerms memory terms, bytes32 start) = _commit(index, ghost.claimed, seed);
        terms.tickAmount = free;
        uint32 ticks = uint32(_between(seed >> 8, 1, terms.maxTicks));
        return (true, _claimOf(index, terms, start, ticks, ghost.balance));
    }

    function _amountError(
        bytes4 selector,
        uint256 index,
        uint128 total,
        uint128 most
    ) private view returns (bytes memory) {
        return abi.encodeWithSelector(selector, lines[index].id, total, most);
    }

    /// @dev No product of these terms comes near 128 bits.
    function _worth(IPaymentChannels.TickTerms memory terms, uint32 ticks) private pure returns (uint128) {
        return terms.baseAmount + terms.tickAmount * ticks;
    }

    /// @dev "A link is keccak256(preimage, channelId, baseAmount), each 32 bytes."
    function _follow(
        bytes32 preimage,
        bytes32 id,
        uint128 base,
        uint256 links
    ) private pure returns (bytes32 end) {
        end = preimage;
        for (uint256 i = 0; i < links; ++i) end = keccak256(abi.encode(end, id, uint256(base)));
    }
}
