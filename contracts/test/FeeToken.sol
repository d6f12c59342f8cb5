// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TestToken} from "./TestToken.sol";

/// @title FeeToken
/// @notice A test token that burns one base unit of what is transferred, once it is told to.
contract FeeToken is TestToken {
    /// @notice Whether it takes the fee.
    bool public takesFee;

    /// @notice Makes it take the fee.
    function takeFee() external {
        takesFee = true;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (takesFee && from != address(0) && to != address(0)) super._update(to, address(0), 1);
    }
}
