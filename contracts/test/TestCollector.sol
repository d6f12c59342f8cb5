// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IDepositCollector} from "../interfaces/IDepositCollector.sol";

/// @title TestCollector
/// @notice A collector that spends the payer's allowance and can be told to misbehave.
contract TestCollector is IDepositCollector {
    /// @inheritdoc IDepositCollector
    address public channels;

    /// @notice What it brings more than asked for, in base units; negative for less.
    int256 public surplus;

    /// @notice What it calls before it returns, nothing if empty.
    bytes public callback;

    /// @notice What it was last asked for, ABI-encoded.
    bytes public request;

    /// @notice Sets the misbehaviour.
    /// @param surplus_ What it shall bring more than asked for.
    /// @param target Whom it shall call back.
    /// @param callback_ Selector and arguments of that call, nothing if empty.
    function misbehave(int256 surplus_, address target, bytes calldata callback_) external {
        surplus = surplus_;
        channels = target;
        callback = callback_;
    }

    /// @inheritdoc IDepositCollector
    function collect(
        address payer,
        address token,
        uint256 amount,
        bytes32 channelId,
        address sender,
        bytes calldata data
    ) external {
        request = abi.encode(payer, token, amount, channelId, sender, data);
        // The test token would refuse what does not succeed.
        bool moved = IERC20(token).transferFrom(payer, msg.sender, uint256(int256(amount) + surplus));
        if (moved && callback.length > 0) Address.functionCall(channels, callback);
    }
}
