// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Calls in one transaction are steps one after the other.
abstract contract Multicall {}
