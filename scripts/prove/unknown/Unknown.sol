// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title UNKNOWN
/// @notice Anything: the checker forgets what assembly assigns, whatever it is. A call out would make it forget all state.
library UNKNOWN {
    function word() internal pure returns (bytes32 any) {
        assembly {
            any := 0
        }
    }

    function number() internal pure returns (uint256 any) {
        assembly {
            any := 0
        }
    }

    function amount() internal pure returns (uint128 any) {
        assembly {
            any := 0
        }
    }

    function account() internal pure returns (address any) {
        assembly {
            any := 0
        }
    }

    function flag() internal pure returns (bool any) {
        assembly {
            any := 0
        }
    }
}
