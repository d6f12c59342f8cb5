// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {UNKNOWN} from "scripts/prove/unknown/Unknown.sol";

/// @notice Any digest for any struct.
abstract contract EIP712 {
    constructor(string memory, string memory) {}

    function _domainSeparatorV4() internal pure returns (bytes32) {
        return UNKNOWN.word();
    }

    function _hashTypedDataV4(bytes32) internal pure returns (bytes32) {
        return UNKNOWN.word();
    }
}
