// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @notice Tokens move elsewhere; what a token calls back is a step of its own.
library SafeERC20 {
    function safeTransfer(IERC20, address, uint256) internal pure {}

    function safeTransferFrom(IERC20, address, address, uint256) internal pure {}
}
