// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice No guard: nothing that is proved needs it.
abstract contract ReentrancyGuardTransient {
    modifier nonReentrant() {
        _;
    }
}
