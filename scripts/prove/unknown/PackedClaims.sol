// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {UNKNOWN} from "scripts/prove/unknown/Unknown.sol";

type Row is uint256;

type Frame is uint256;

/// @notice A row may say anything and be signed by anyone.
library PackedClaims {
    uint256 internal constant ROW_LENGTH = 200;

    function allocate(uint256) internal pure returns (bytes memory) {}

    function append(bytes memory, bytes32, uint128) internal pure {}

    function signer(Row, Frame, bytes32) internal pure returns (address) {
        return UNKNOWN.account();
    }

    function rowAt(bytes calldata, uint256) internal pure returns (Row) {
        return Row.wrap(UNKNOWN.number());
    }

    function payerAuthorizer(Row) internal pure returns (address) {
        return UNKNOWN.account();
    }

    function amounts(Row) internal pure returns (uint128, uint128) {
        return (UNKNOWN.amount(), UNKNOWN.amount());
    }

    function frameOf(bytes32, address, address, address, uint40) internal pure returns (Frame) {
        return Frame.wrap(UNKNOWN.number());
    }

    function channelId(Row, Frame) internal pure returns (bytes32) {
        return UNKNOWN.word();
    }
}
