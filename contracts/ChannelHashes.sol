// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

// `abi.encode` checks and copies each word and never gives its memory back, for each row of a batch: about 600 gas a
// channel id. Each block writes behind the free memory pointer, which it leaves where it is, and hashes what it wrote
// before anything else can use that memory. contracts/test/digests.test.ts holds all of it against viem.
/* solhint-disable no-inline-assembly */

/// @title ChannelHashes
/// @notice EIP-712 struct hashes of what is signed for channels.
library ChannelHashes {
    /* CONSTANTS */

    bytes32 internal constant CHANNEL_CONFIG_TYPEHASH = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)" // solhint-disable-line max-line-length
    );

    bytes32 internal constant TIP_VOUCHER_TYPEHASH = keccak256(
        "TipVoucher(bytes32 channelId,uint128 maxClaimableAmount,Tip[] tips)Tip(bytes32 to,uint128 amount,bytes32 ref)" // solhint-disable-line max-line-length
    );

    bytes32 internal constant TICK_COMMITMENT_TYPEHASH = keccak256(
        "TickCommitment(bytes32 channelId,bytes32 to,uint128 baseAmount,uint128 tickAmount,uint32 maxTicks,bytes32 root)" // solhint-disable-line max-line-length
    );

    bytes32 internal constant VOUCHER_TYPEHASH = keccak256(
        "Voucher(bytes32 channelId,uint128 maxClaimableAmount)"
    );

    /* FUNCTIONS */

    /// @notice Hashes a channel config.
    ///
    /// Requires that no address or delay has bits beyond its type, as Solidity requires where it reads them.
    /// @param config The config.
    /// @return structHash Its hash.
    function hash(IPaymentChannels.ChannelConfig calldata config) internal pure returns (bytes32 structHash) {
        bytes32 typehash = CHANNEL_CONFIG_TYPEHASH;
        // A config is static: seven words, which the decoder has found to lie within the calldata. Five are addresses,
        // the sixth is a uint40, the seventh may be anything.
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, typehash)
            calldatacopy(add(buffer, 0x20), config, 0xe0)
            let addresses := or(
                or(
                    or(mload(add(buffer, 0x20)), mload(add(buffer, 0x40))),
                    or(mload(add(buffer, 0x60)), mload(add(buffer, 0x80)))
                ),
                mload(add(buffer, 0xa0))
            )
            if or(shr(160, addresses), shr(40, mload(add(buffer, 0xc0)))) {
                revert(0, 0)
            }
            structHash := keccak256(buffer, 0x100)
        }
    }

    /// @notice Hashes a plain voucher.
    /// @param channelId The channel.
    /// @param maxClaimableAmount Most that may be claimed in total.
    /// @return structHash The hash.
    function hashVoucher(
        bytes32 channelId,
        uint128 maxClaimableAmount
    ) internal pure returns (bytes32 structHash) {
        bytes32 typehash = VOUCHER_TYPEHASH;
        uint256 maximum = maxClaimableAmount;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, typehash)
            mstore(add(buffer, 0x20), channelId)
            mstore(add(buffer, 0x40), maximum)
            structHash := keccak256(buffer, 0x60)
        }
    }

    /// @notice Hashes a tip voucher.
    /// @param channelId The channel.
    /// @param maxClaimableAmount Most that may be claimed in total.
    /// @param tipsHash keccak256 of the concatenated EIP-712 struct hashes of the tips.
    /// @return structHash The hash.
    function hashTipVoucher(
        bytes32 channelId,
        uint128 maxClaimableAmount,
        bytes32 tipsHash
    ) internal pure returns (bytes32 structHash) {
        bytes32 typehash = TIP_VOUCHER_TYPEHASH;
        uint256 maximum = maxClaimableAmount;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            mstore(buffer, typehash)
            mstore(add(buffer, 0x20), channelId)
            mstore(add(buffer, 0x40), maximum)
            mstore(add(buffer, 0x60), tipsHash)
            structHash := keccak256(buffer, 0x80)
        }
    }
}
