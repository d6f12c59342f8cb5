// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {UNKNOWN} from "scripts/prove/unknown/Unknown.sol";

/// @notice A chain may lead anywhere.
library TickChains {
    function follow(bytes32, bytes32, uint128, uint256) internal pure returns (bytes32) {
        return UNKNOWN.word();
    }
}
