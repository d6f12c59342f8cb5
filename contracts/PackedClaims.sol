// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ChannelHashes} from "./ChannelHashes.sol";

// Slices are checked, `abi.encode` and `bytes.concat` copy what they build for each row, and `ECDSA` returns why it
// failed: together about 1,600 gas a row. Each block carries the reason why it stays inside its memory and calldata.
// contracts/test/vectors.test.ts changes every signed byte of a row, claim-packed.test.ts each kind of bad signature.
/* solhint-disable no-inline-assembly */

/// @dev Where a row starts in calldata.
type Row is uint256;

/// @dev Where the words that rows are hashed with start in memory: those that all rows share stay, those that differ
/// are written again by each row.
type Frame is uint256;

/// @title PackedClaims
/// @notice Layout of the rows that `claimPacked` takes and of the entries that `ClaimedPacked` carries.
///
/// A row is 200 bytes: payer (20, at 0), payerAuthorizer (20, at 20), maxClaimableAmount (16, at 40), claim (16, at
/// 56), salt (32, at 72), tipsHash (32, at 104), r (32, at 136), vs (32, at 168). The last field begins 32 bytes
/// before the end, so that reading 32 bytes at any field stays within the row. An entry is 48 bytes: channel id (32),
/// new claimed total (16).
///
/// A frame is 0x260 bytes: at 0x000 the eight words of a channel config (type hash first), at 0x100 those of a digest
/// (0x1901 at the end of the first), at 0x160 the four of a voucher, at 0x1e0 the four of a signature recovery.
library PackedClaims {
    /* CONSTANTS */

    /// @notice Bytes of a row.
    uint256 internal constant ROW_LENGTH = 200;

    /// @notice Bytes of an entry.
    uint256 internal constant ENTRY_LENGTH = 48;

    /// @notice Bytes of a frame.
    uint256 internal constant FRAME_LENGTH = 0x260;

    /* SIGNATURES */

    /// @notice Recovers who signed a row's voucher.
    /// @param row The row.
    /// @param frame The frame; its digest, voucher and recovery are overwritten.
    /// @param id The row's channel id.
    /// @return account Who signed, zero if the signature is none or has its s in the upper half of the order.
    function signer(Row row, Frame frame, bytes32 id) internal view returns (address account) {
        bytes32 plain = ChannelHashes.VOUCHER_TYPEHASH;
        bytes32 withTips = ChannelHashes.TIP_VOUCHER_TYPEHASH;
        // A plain voucher has three words, a tip voucher a fourth. The precompile at 1 takes digest, v, r and s and
        // returns a word, or nothing if they recover to nobody: the word at 0, scratch space, is zero before. Half of
        // the order is as in OpenZeppelin's ECDSA.
        assembly ("memory-safe") {
            let voucher := add(frame, 0x160)
            let tipsHash := calldataload(add(row, 104))
            let typehash := plain
            let length := 0x60
            if tipsHash {
                typehash := withTips
                length := 0x80
            }
            mstore(voucher, typehash)
            mstore(add(voucher, 0x20), id)
            mstore(add(voucher, 0x40), shr(128, calldataload(add(row, 40))))
            mstore(add(voucher, 0x60), tipsHash)
            mstore(add(frame, 0x140), keccak256(voucher, length))

            let recovery := add(frame, 0x1e0)
            let vs := calldataload(add(row, 168))
            let s := and(vs, 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff)
            mstore(recovery, keccak256(add(frame, 0x11e), 0x42))
            mstore(add(recovery, 0x20), add(27, shr(255, vs)))
            mstore(add(recovery, 0x40), calldataload(add(row, 136)))
            mstore(add(recovery, 0x60), s)
            mstore(0, 0)
            if iszero(gt(s, 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0)) {
                // What the call itself answers says nothing more than the word that it leaves.
                pop(staticcall(gas(), 1, recovery, 0x80, 0, 0x20))
            }
            account := mload(0)
        }
    }

    /* ROWS */

    /// @notice Finds a row.
    /// @param rows Whole rows.
    /// @param index Index of the row, less than the number of rows.
    /// @return row The row.
    function rowAt(bytes calldata rows, uint256 index) internal pure returns (Row row) {
        assembly ("memory-safe") {
            row := add(rows.offset, mul(index, ROW_LENGTH))
        }
    }

    /// @notice Reads the payer authorizer.
    /// @param row The row.
    /// @return authorizer The payer authorizer.
    function payerAuthorizer(Row row) internal pure returns (address authorizer) {
        assembly ("memory-safe") {
            authorizer := shr(96, calldataload(add(row, 20)))
        }
    }

    /// @notice Reads the two amounts.
    /// @param row The row.
    /// @return maxClaimableAmount The voucher's maximum.
    /// @return claim The claimed total wanted.
    function amounts(Row row) internal pure returns (uint128 maxClaimableAmount, uint128 claim) {
        assembly ("memory-safe") {
            let both := calldataload(add(row, 40))
            maxClaimableAmount := shr(128, both)
            claim := and(both, 0xffffffffffffffffffffffffffffffff)
        }
    }

    /* HASHES */

    /// @notice Makes a frame.
    /// @param domain The EIP-712 domain separator.
    /// @param receiver Receiver of all channels.
    /// @param receiverAuthorizer Receiver authorizer of all channels.
    /// @param token Token of all channels.
    /// @param withdrawDelay Withdraw delay of all channels, in seconds.
    /// @return frame The frame.
    function frameOf(
        bytes32 domain,
        address receiver,
        address receiverAuthorizer,
        address token,
        uint40 withdrawDelay
    ) internal pure returns (Frame frame) {
        bytes32 typehash = ChannelHashes.CHANNEL_CONFIG_TYPEHASH;
        // Allocates a whole number of words and writes only there. Inside assembly the bits beyond a type may be
        // anything: the shifts and the mask clear them.
        assembly ("memory-safe") {
            frame := mload(0x40)
            mstore(0x40, add(frame, FRAME_LENGTH))
            mstore(frame, typehash)
            mstore(add(frame, 0x60), shr(96, shl(96, receiver)))
            mstore(add(frame, 0x80), shr(96, shl(96, receiverAuthorizer)))
            mstore(add(frame, 0xa0), shr(96, shl(96, token)))
            mstore(add(frame, 0xc0), and(withdrawDelay, 0xffffffffff))
            mstore(add(frame, 0x100), 0x1901)
            mstore(add(frame, 0x120), domain)
        }
    }

    /// @notice Computes the id of a row's channel.
    /// @param row The row.
    /// @param frame The frame; its config and digest are overwritten.
    /// @return id The channel id.
    function channelId(Row row, Frame frame) internal pure returns (bytes32 id) {
        // Writes payer, payer authorizer and salt into the config, all eight words of which are then hashed, and the
        // hash into the last word of the digest, whose 66 bytes end with it.
        assembly ("memory-safe") {
            mstore(add(frame, 0x20), shr(96, calldataload(row)))
            mstore(add(frame, 0x40), shr(96, calldataload(add(row, 20))))
            mstore(add(frame, 0xe0), calldataload(add(row, 72)))
            mstore(add(frame, 0x140), keccak256(frame, 0x100))
            id := keccak256(add(frame, 0x11e), 0x42)
        }
    }

    /* ENTRIES */

    /// @notice Makes room for entries.
    /// @param count How many entries there may be at most.
    /// @return entries The room, without entries yet.
    function allocate(uint256 count) internal pure returns (bytes memory entries) {
        // Takes the free memory from `entries` on: its length, the entries, and the 16 bytes that the last write of
        // `append` reaches beyond its entry, rounded up to whole words. Free memory need not be zero, because only
        // bytes that `append` wrote are ever counted in the length.
        assembly ("memory-safe") {
            entries := mload(0x40)
            mstore(entries, 0)
            mstore(0x40, and(add(add(entries, mul(count, ENTRY_LENGTH)), 79), not(31)))
        }
    }

    /// @notice Adds an entry.
    /// @param entries Room made by `allocate`, with an entry to spare.
    /// @param id The channel.
    /// @param newTotalClaimed What has been claimed on it.
    function append(bytes memory entries, bytes32 id, uint128 newTotalClaimed) internal pure {
        // Writes 64 bytes behind `length` bytes of entries: 48 are the entry, 16 are zeros that the next entry
        // overwrites or that `allocate` reserved.
        assembly ("memory-safe") {
            let length := mload(entries)
            let end := add(add(entries, 32), length)
            mstore(end, id)
            mstore(add(end, 32), shl(128, newTotalClaimed))
            mstore(entries, add(length, ENTRY_LENGTH))
        }
    }
}
