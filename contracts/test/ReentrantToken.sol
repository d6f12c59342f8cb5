// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {TestToken} from "./TestToken.sol";

/// @title ReentrantToken
/// @notice A test token that makes one call in the middle of its next transfer, once it is told to.
contract ReentrantToken is TestToken {
    address private _target;
    bytes private _callback;

    /// @notice Prepares the call.
    /// @param target Whom to call.
    /// @param callback Selector and arguments.
    function reenter(address target, bytes calldata callback) external {
        _target = target;
        _callback = callback;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        bytes memory callback = _callback;
        delete _callback;
        if (callback.length > 0) Address.functionCall(_target, callback);
    }
}
