// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {UNKNOWN} from "scripts/prove/unknown/Unknown.sol";

/// @notice Any digest for any struct.
library MessageHashUtils {
    function toTypedDataHash(bytes32, bytes32) internal pure returns (bytes32) {
        return UNKNOWN.word();
    }
}
