// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IDepositCollector} from "../interfaces/IDepositCollector.sol";
import {IPermit2} from "../interfaces/IPermit2.sol";

// Immutables are named by the interface, whose getters they are.
/* solhint-disable immutable-vars-naming */

/// @title Permit2DepositCollector
/// @notice Collects deposits by Permit2, so that the payer needs no gas for tokens without ERC-3009 either.
///
/// The payer's signature names this contract as spender, the exact amount, and the channel in a witness: it pays for
/// that channel or for nothing, although the payer's allowance toward Permit2 may be without limit. The tokens go
/// from the payer to the payment channels contract directly; this contract holds none and has no allowance.
///
/// `data` is `abi.encode(uint256 nonce, uint256 deadline, bytes signature, bytes permitData)`. Where `permitData` is
/// not empty, it is an ERC-2612 permit toward Permit2: `abi.encode(uint256 value, uint256 deadline, uint8 v, bytes32
/// r, bytes32 s)`.
contract Permit2DepositCollector is IDepositCollector {
    /* CONSTANTS */

    /// @notice Permit2, at the same address on every chain.
    IPermit2 public constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

    bytes32 private constant _WITNESS_TYPEHASH = keccak256("DepositWitness(bytes32 channelId)");

    string private constant _WITNESS_TYPE_STRING =
        "DepositWitness witness)DepositWitness(bytes32 channelId)TokenPermissions(address token,uint256 amount)";

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

        (uint256 nonce, uint256 deadline, bytes memory signature, bytes memory permitData) = abi.decode(
            data,
            (uint256, uint256, bytes, bytes)
        );
        if (permitData.length > 0) _permit(payer, token, permitData);
        PERMIT2.permitWitnessTransferFrom(
            IPermit2.PermitTransferFrom({
                permitted: IPermit2.TokenPermissions({token: token, amount: amount}),
                nonce: nonce,
                deadline: deadline
            }),
            IPermit2.SignatureTransferDetails({to: channels, requestedAmount: amount}),
            payer,
            keccak256(abi.encode(_WITNESS_TYPEHASH, channelId)),
            _WITNESS_TYPE_STRING,
            signature
        );
    }

    /* INTERNAL */

    /// @dev Anyone may have used the permit before, which took its nonce and left the allowance: whether there is
    /// enough of that shows in the transfer.
    function _permit(address payer, address token, bytes memory permitData) private {
        (uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) = abi.decode(
            permitData,
            (uint256, uint256, uint8, bytes32, bytes32)
        );
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(token).permit(payer, address(PERMIT2), value, deadline, v, r, s) {} catch {}
    }
}
