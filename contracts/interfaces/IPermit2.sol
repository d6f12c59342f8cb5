// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IPermit2
/// @notice The one function of Permit2 that a deposit needs. Permit2 stands at
/// 0x000000000022D473030F116dDEE9F6B43aC78BA3 on every chain; the payer allows it to spend a token once and signs for
/// each transfer.
interface IPermit2 {
    /* TYPES */

    /// @notice What may be transferred.
    /// @param token The token.
    /// @param amount The most that may be transferred.
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    /// @notice What the owner signs, beside the spender and the witness.
    /// @param permitted What may be transferred.
    /// @param nonce Any number that the owner has not used.
    /// @param deadline Last second at which the signature is valid.
    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    /// @notice What the spender asks for.
    /// @param to Who gets the tokens.
    /// @param requestedAmount What is transferred.
    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    /* FUNCTIONS */

    /// @notice Transfers the owner's tokens by their signature, which names the caller as spender.
    /// @param permit What the owner signed.
    /// @param transferDetails What is asked for, within it.
    /// @param owner Whose tokens.
    /// @param witness EIP-712 hash of what else the owner signed.
    /// @param witnessTypeString The type of that, from the name of its field on.
    /// @param signature The owner's signature (ECDSA or ERC-1271).
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;
}
