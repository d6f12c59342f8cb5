// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// `bytes.concat` copies all entries for each new one. Each block carries the reason why it stays inside its memory.
/* solhint-disable no-inline-assembly */

/// @title PackedCredits
/// @notice Layout of the entries that `CreditedPacked` carries.
library PackedCredits {
    /* CONSTANTS */

    /// @notice Bytes of an entry.
    uint256 internal constant ENTRY_LENGTH = 36;

    /* FUNCTIONS */

    /// @notice Makes room for entries.
    /// @param count How many entries there may be at most.
    /// @return entries The room, without entries yet.
    function allocate(uint256 count) internal pure returns (bytes memory entries) {
        // Takes the free memory from `entries` on: its length, the entries, and the 28 bytes that the last write of
        // `append` reaches beyond its entry, rounded up to whole words. Free memory need not be zero, because only
        // bytes that `append` wrote are ever counted in the length.
        assembly ("memory-safe") {
            entries := mload(0x40)
            mstore(entries, 0)
            mstore(0x40, and(add(add(entries, mul(count, ENTRY_LENGTH)), 91), not(31)))
        }
    }

    /// @notice Adds an entry.
    /// @param entries Room made by `allocate`, with an entry to spare.
    /// @param account The account.
    /// @param newCredited What it has been credited in total.
    function append(bytes memory entries, address account, uint128 newCredited) internal pure {
        // Writes 64 bytes behind `length` bytes of entries: 36 are the entry, 28 are zeros that the next entry
        // overwrites or that `allocate` reserved.
        assembly ("memory-safe") {
            let length := mload(entries)
            let end := add(add(entries, 32), length)
            mstore(end, or(shl(96, account), shr(32, newCredited)))
            mstore(add(end, 32), shl(224, newCredited))
            mstore(entries, add(length, ENTRY_LENGTH))
        }
    }
}
