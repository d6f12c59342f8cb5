// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// A thousand links in Solidity cost about 300,000 gas, of which the hashes are 48,000. The block carries the reason
// why it stays inside its memory; contracts/test/claim-ticks.test.ts holds it against protocol/tick.ts for every
// remainder of the unrolled loop.
/* solhint-disable no-inline-assembly */

/// @title TickChains
/// @notice Hash chains that ticks are paid with: keccak256(preimage, channelId, baseAmount), three words, from one link
/// to the next. The channel and the base in each link make a preimage worth nothing anywhere else.
library TickChains {
    /* FUNCTIONS */

    /// @notice Follows a chain.
    /// @param preimage Where to begin.
    /// @param channelId The channel that the chain is for.
    /// @param baseAmount The claimed total that the chain counts from.
    /// @param ticks How many links to follow.
    /// @return end Where that leads: after all ticks of an honest preimage, the root.
    function follow(
        bytes32 preimage,
        bytes32 channelId,
        uint128 baseAmount,
        uint256 ticks
    ) internal pure returns (bytes32 end) {
        uint256 base = baseAmount;
        // Writes three words behind the free memory pointer, which it leaves where it is; each hash replaces the first.
        // Sixteen links a turn, then the rest one by one: `ticks` falls by as many links as are made.
        assembly ("memory-safe") {
            let link := mload(0x40)
            mstore(link, preimage)
            mstore(add(link, 0x20), channelId)
            mstore(add(link, 0x40), base)
            for {} gt(ticks, 15) {
                ticks := sub(ticks, 16)
            } {
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
                mstore(link, keccak256(link, 0x60))
            }
            for {} ticks {
                ticks := sub(ticks, 1)
            } {
                mstore(link, keccak256(link, 0x60))
            }
            end := mload(link)
        }
    }
}
