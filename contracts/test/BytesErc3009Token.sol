// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestToken} from "./TestToken.sol";

/// @title BytesErc3009Token
/// @notice A test token whose ERC-3009 takes signatures as bytes only.
contract BytesErc3009Token is TestToken {
    /// @notice Reverts without a reason, as a token does that has no such function.
    function receiveWithAuthorization(
        address,
        address,
        uint256,
        uint256,
        uint256,
        bytes32,
        uint8,
        bytes32,
        bytes32
    ) public pure override {
        // solhint-disable-next-line gas-custom-errors, reason-string
        revert();
    }
}
