// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// Slices are checked and `bytes.concat` copies all entries for each new one. Each block carries the reason why it
// stays inside its memory and calldata.
/* solhint-disable no-inline-assembly */

/// @dev Where a row starts in calldata.
type Row is uint256;

/// @title PackedClaims
/// @notice Layout of the rows that `claimPacked` takes and of the entries that `ClaimedPacked` carries.
library PackedClaims {
    /* CONSTANTS */

    /// @notice Bytes of a row.
    uint256 internal constant ROW_LENGTH = 200;

    /// @notice Offset of the payer, 20 bytes.
    uint256 internal constant PAYER = 0;

    /// @notice Offset of the payer authorizer, 20 bytes.
    uint256 internal constant PAYER_AUTHORIZER = 20;

    /// @notice Offset of the voucher's maximum, 16 bytes.
    uint256 internal constant MAX_CLAIMABLE_AMOUNT = 40;

    /// @notice Offset of the claimed total wanted, 16 bytes.
    uint256 internal constant CLAIM = 56;

    /// @notice Offset of the channel's salt, 32 bytes.
    uint256 internal constant SALT = 72;

    /// @notice Offset of the hash of the tips, 32 bytes.
    uint256 internal constant TIPS_HASH = 104;

    /// @notice Offset of the first half of the signature, 32 bytes.
    uint256 internal constant R = 136;

    /// @notice Offset of the second half of the signature, 32 bytes.
    uint256 internal constant VS = 168;

    /// @notice Bytes of an entry.
    uint256 internal constant ENTRY_LENGTH = 48;

    /* FUNCTIONS */

    /// @notice Finds a row.
    /// @param rows Whole rows.
    /// @param index Index of the row, less than the number of rows.
    /// @return row The row.
    function rowAt(bytes calldata rows, uint256 index) internal pure returns (Row row) {
        assembly ("memory-safe") {
            row := add(rows.offset, mul(index, ROW_LENGTH))
        }
    }

    /// @notice Reads 32 bytes of a row; shorter fields stand at their beginning.
    /// @param row The row.
    /// @param field One of the offsets above.
    /// @return value The bytes.
    function read(Row row, uint256 field) internal pure returns (bytes32 value) {
        // No field starts after byte 168 of its row, so that 32 bytes from there end within the row.
        assembly ("memory-safe") {
            value := calldataload(add(row, field))
        }
    }

    /// @notice Reads 16 bytes of a row as an amount.
    /// @param row The row.
    /// @param field One of the offsets above.
    /// @return The amount.
    function readAmount(Row row, uint256 field) internal pure returns (uint128) {
        return uint128(bytes16(read(row, field)));
    }

    /// @notice Reads 20 bytes of a row as an address.
    /// @param row The row.
    /// @param field One of the offsets above.
    /// @return The address.
    function readAddress(Row row, uint256 field) internal pure returns (address) {
        return address(bytes20(read(row, field)));
    }

    /// @notice Makes room for entries.
    /// @param count How many entries there may be at most.
    /// @return entries The room, without entries yet.
    function allocate(uint256 count) internal pure returns (bytes memory entries) {
        // The last write of `append` reaches 16 bytes beyond its entry.
        entries = new bytes(count * ENTRY_LENGTH + 16);
        assembly ("memory-safe") {
            mstore(entries, 0)
        }
    }

    /// @notice Adds an entry.
    /// @param entries Room made by `allocate`, with an entry to spare.
    /// @param channelId The channel.
    /// @param newTotalClaimed What has been claimed on it.
    function append(bytes memory entries, bytes32 channelId, uint128 newTotalClaimed) internal pure {
        // Writes 64 bytes behind `length` bytes of entries: 48 are the entry, 16 are zeros that the next entry
        // overwrites or that `allocate` reserved.
        assembly ("memory-safe") {
            let length := mload(entries)
            let end := add(add(entries, 32), length)
            mstore(end, channelId)
            mstore(add(end, 32), shl(128, newTotalClaimed))
            mstore(entries, add(length, ENTRY_LENGTH))
        }
    }
}
