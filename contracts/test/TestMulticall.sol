// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title TestMulticall
/// @notice The one function of Multicall3 that the npm packages of x402 read chain state with.
contract TestMulticall {
    /// @notice One call.
    /// @param target Whom to call.
    /// @param callData Selector and arguments.
    struct Call {
        address target;
        bytes callData;
    }

    /// @notice What became of a call.
    /// @param success Whether it did not revert.
    /// @param returnData What it returned or reverted with.
    struct Result {
        bool success;
        bytes returnData;
    }

    /// @notice A call reverted that was not allowed to.
    /// @param index Its index, from 0.
    /// @param reason Its revert data.
    error CallFailed(uint256 index, bytes reason);

    /// @notice Makes calls in order.
    /// @param requireSuccess Whether none may revert.
    /// @param calls The calls.
    /// @return results What became of each.
    function tryAggregate(
        bool requireSuccess,
        Call[] calldata calls
    ) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 index = 0; index < calls.length; ++index) {
            // Which function of the target is called is the caller's choice.
            // solhint-disable-next-line avoid-low-level-calls
            (bool success, bytes memory data) = calls[index].target.call(calls[index].callData);
            if (!success && requireSuccess) revert CallFailed(index, data);
            results[index] = Result({success: success, returnData: data});
        }
    }
}
