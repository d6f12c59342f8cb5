// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IErc3009Bytes
/// @notice ERC-3009 with signatures as bytes, as newer tokens offer it so that contract wallets can sign (ERC-1271).
interface IErc3009Bytes {
    /// @notice Moves tokens by the holder's signature. Anyone may call.
    /// @param from The holder.
    /// @param to Who gets it.
    /// @param value What is moved, in base units.
    /// @param validAfter The signature is valid after this second.
    /// @param validBefore The signature is valid before this second.
    /// @param nonce Any value that the holder has not used.
    /// @param signature The holder's signature (ECDSA or ERC-1271).
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice As `transferWithAuthorization`, where only `to` may call.
    /// @param from The holder.
    /// @param to Who gets it.
    /// @param value What is moved, in base units.
    /// @param validAfter The signature is valid after this second.
    /// @param validBefore The signature is valid before this second.
    /// @param nonce Any value that the holder has not used.
    /// @param signature The holder's signature (ECDSA or ERC-1271).
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external;

    /// @notice Makes a nonce worthless by its holder's signature. Anyone may call.
    /// @param authorizer The holder.
    /// @param nonce The nonce.
    /// @param signature The holder's signature (ECDSA or ERC-1271).
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external;
}
