// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title TestWallet
/// @notice A contract wallet without protection, whose owner's signatures count as its own (ERC-1271).
contract TestWallet is IERC1271 {
    /// @notice Whose signatures count.
    address public owner;

    /// @notice Names the owner.
    /// @param owner_ The owner.
    constructor(address owner_) {
        owner = owner_;
    }

    /// @notice Replaces the owner. Anyone may call.
    /// @param newOwner The owner.
    function setOwner(address newOwner) external {
        owner = newOwner;
    }

    /// @notice Makes a call. Anyone may ask for it.
    /// @param target Whom to call.
    /// @param data Selector and arguments.
    function run(address target, bytes calldata data) external {
        Address.functionCall(target, data);
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return
            ECDSA.recoverCalldata(hash, signature) == owner ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}
