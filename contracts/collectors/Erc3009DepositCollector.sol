// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {LowLevelCall} from "@openzeppelin/contracts/utils/LowLevelCall.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {IDepositCollector} from "../interfaces/IDepositCollector.sol";
import {IErc3009Bytes} from "../interfaces/IErc3009Bytes.sol";

// Immutables are named by the interface, whose getters they are.
/* solhint-disable immutable-vars-naming */

/// @title Erc3009DepositCollector
/// @notice Collects deposits by ERC-3009 `receiveWithAuthorization`, so that the payer needs no gas.
///
/// The authorization's `to` is this contract and its nonce is `keccak256(abi.encode(channelId, salt))`: it pays for
/// that channel or for nothing. The payment channels contract is fixed, since anyone else who could call would have
/// the payer's tokens forwarded to themselves.
///
/// Between calls it holds nothing: tokens that are sent here by mistake belong to whoever deposits next.
///
/// `data` is `abi.encode(uint256 validAfter, uint256 validBefore, uint256 salt, bytes signature)`.
contract Erc3009DepositCollector is IDepositCollector {
    using SafeERC20 for IERC20;

    /* TYPES */

    /// @notice What `data` holds.
    struct Authorization {
        uint256 validAfter;
        uint256 validBefore;
        uint256 salt;
        bytes signature;
    }

    /* STORAGE */

    /// @inheritdoc IDepositCollector
    address public immutable channels;

    /* CONSTRUCTOR */

    /// @notice Binds the collector to a payment channels contract.
    /// @param channels_ The payment channels contract.
    constructor(address channels_) {
        channels = channels_;
    }

    /* COLLECT */

    /// @inheritdoc IDepositCollector
    function collect(
        address payer,
        address token,
        uint256 amount,
        bytes32 channelId,
        address,
        bytes calldata data
    ) external {
        if (msg.sender != channels) revert NotChannels(msg.sender, channels);

        _receive(payer, token, amount, channelId, data);
        IERC20(token).safeTransfer(channels, amount);
    }

    /* INTERNAL */

    /// @dev Every ERC-3009 token takes an ECDSA signature as v, r, s; only newer ones take bytes, which contract
    /// wallets need. An account with code may be either: one that delegated itself (EIP-7702) signs with its key, and a
    /// wallet's signature may have 65 bytes too.
    function _receive(
        address payer,
        address token,
        uint256 amount,
        bytes32 channelId,
        bytes calldata data
    ) private {
        Authorization calldata authorization = _authorizationOf(data);
        bytes32 nonce = Hashes.efficientKeccak256(channelId, bytes32(authorization.salt));
        bool isSplit = authorization.signature.length == 65;
        if (isSplit && _receiveSplit(payer, token, amount, nonce, authorization)) return;

        IErc3009Bytes(token).receiveWithAuthorization(
            payer,
            address(this),
            amount,
            authorization.validAfter,
            authorization.validBefore,
            nonce,
            authorization.signature
        );
    }

    /// @dev Whether the token took the signature as v, r, s. Reverts as the token does if nothing else can be tried:
    /// whether the payer has code, which costs 2,600 gas to know, is asked only then.
    function _receiveSplit(
        address payer,
        address token,
        uint256 amount,
        bytes32 nonce,
        Authorization calldata authorization
    ) private returns (bool) {
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(authorization.signature);
        try
            IERC3009(token).receiveWithAuthorization(
                payer,
                address(this),
                amount,
                authorization.validAfter,
                authorization.validBefore,
                nonce,
                v,
                r,
                s
            )
        {
            return true;
        } catch (bytes memory reason) {
            if (payer.code.length == 0) LowLevelCall.bubbleRevert(reason);
            return false;
        }
    }

    /// @dev Decoding to memory would copy the signature, for 400 gas. `abi.encode` of four values lays them out as
    /// it lays out a struct of them, whose offsets count from its first word; Solidity checks each offset against the
    /// end of the calldata where it reads the signature. Bytes beyond `data` would be the relayer's own in any case.
    function _authorizationOf(
        bytes calldata data
    ) private pure returns (Authorization calldata authorization) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            authorization := data.offset
        }
    }
}
