// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPaymentChannels} from "contracts/interfaces/IPaymentChannels.sol";
import {UNKNOWN} from "scripts/prove/unknown/Unknown.sol";

/// @notice Any hash for any struct.
library ChannelHashes {
    bytes32 internal constant CHANNEL_CONFIG_TYPEHASH = "1";
    bytes32 internal constant TIP_VOUCHER_TYPEHASH = "2";
    bytes32 internal constant TICK_COMMITMENT_TYPEHASH = "3";

    function hash(IPaymentChannels.ChannelConfig calldata) internal pure returns (bytes32) {
        return UNKNOWN.word();
    }

    function hashVoucher(bytes32, uint128) internal pure returns (bytes32) {
        return UNKNOWN.word();
    }

    function hashTipVoucher(bytes32, uint128, bytes32) internal pure returns (bytes32) {
        return UNKNOWN.word();
    }
}
