// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICreatorVault} from "./interfaces/ICreatorVault.sol";

// A row costs about 640 gas in Solidity beside its slot, its calldata and its log: bounds and types checked twice, the
// mapping hashed from fresh memory, each new entry a copy of all before it. Here it costs about 200. Each block carries
// the reason why it stays inside its memory, its calldata and its slots; contracts/test/creator-vault.test.ts holds
// what it stores and reports against a model over random batches.
/* solhint-disable no-inline-assembly */

/// @title PackedCredits
/// @notice The loop of `credit`, and the layout of the entries that `CreditedPacked` carries: 36 bytes, account (20),
/// new credited total (16).
library PackedCredits {
    /* TYPES */

    // slot 0: credited, paid
    struct Account {
        uint128 credited;
        uint128 paid;
    }

    /* CONSTANTS */

    /// @notice Bytes of an entry.
    uint256 internal constant ENTRY_LENGTH = 36;

    /* FUNCTIONS */

    /// @notice Raises what accounts have been credited. A row not above what its account has been credited changes
    /// nothing.
    ///
    /// Calldata: a row is static, two words, and the decoder has found all of them to lie within the calldata.
    ///
    /// Memory: takes the free memory from `entries` on for its length and `rows.length` entries, the last of which is
    /// written with 28 bytes more, rounded up to whole words; nothing else allocates in between. Free memory need not
    /// be zero, because the length counts only bytes that were written. The words at 0 and 0x20 are scratch space.
    ///
    /// Storage: the slot of an account is keccak256(account, slot of the mapping), as Solidity lays it out. `credited`
    /// is its lower half; adding to it stays within 128 bits and so leaves `paid`, the upper half, as it was.
    ///
    /// Arithmetic: what is subtracted is smaller; a sum of amounts of 128 bits, one for each row that fits in a block,
    /// fits in 256.
    ///
    /// Requires that no field has bits beyond its type, as Solidity requires where it reads them, and that each
    /// account is neither zero nor this contract.
    /// @param accounts The accounts of one token.
    /// @param rows Accounts with the total that each shall have been credited.
    /// @return amount Sum of what was added.
    /// @return entries An entry for each row that added something, in row order.
    function raise(
        mapping(address account => Account totals) storage accounts,
        ICreatorVault.CreditRow[] calldata rows
    ) internal returns (uint256 amount, bytes memory entries) {
        uint256 row;
        uint256 rowsEnd;
        assembly ("memory-safe") {
            entries := mload(0x40)
            let end := add(entries, 0x20)
            mstore(0x40, and(add(add(end, mul(rows.length, ENTRY_LENGTH)), 59), not(31)))
            mstore(0x20, accounts.slot)
            row := rows.offset
            rowsEnd := add(row, mul(rows.length, 0x40))
            for {} lt(row, rowsEnd) {
                row := add(row, 0x40)
            } {
                let account := calldataload(row)
                let credited := calldataload(add(row, 0x20))
                if or(shr(160, account), shr(128, credited)) {
                    revert(0, 0)
                }
                if or(iszero(account), eq(account, address())) {
                    break
                }
                mstore(0, account)
                let slot := keccak256(0, 0x40)
                let totals := sload(slot)
                let before := and(totals, 0xffffffffffffffffffffffffffffffff)
                if gt(credited, before) {
                    let added := sub(credited, before)
                    amount := add(amount, added)
                    sstore(slot, add(totals, added))
                    mstore(end, or(shl(96, account), shr(32, credited)))
                    mstore(add(end, 0x20), shl(224, credited))
                    end := add(end, ENTRY_LENGTH)
                }
            }
            mstore(entries, sub(sub(end, entries), 0x20))
        }
        if (row != rowsEnd) {
            uint256 index = rows.length - (rowsEnd - row) / 0x40;
            revert ICreatorVault.AccountNotPayable(index, rows[index].account);
        }
    }
}
