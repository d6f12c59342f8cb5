// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
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
    /// wallets need.
    function _receive(
        address payer,
        address token,
        uint256 amount,
        bytes32 channelId,
        bytes calldata data
    ) private {
        Authorization calldata authorization = _authorizationOf(data);
        bytes calldata signature = authorization.signature;
        bytes32 nonce = Hashes.efficientKeccak256(channelId, bytes32(authorization.salt));
        if (signature.length == 65 && payer.code.length == 0) {
            (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(signature);
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
            );
        } else {
            IErc3009Bytes(token).receiveWithAuthorization(
                payer,
                address(this),
                amount,
                authorization.validAfter,
                authorization.validBefore,
                nonce,
                signature
            );
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
