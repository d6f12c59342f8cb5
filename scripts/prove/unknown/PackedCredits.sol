// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICreatorVault} from "contracts/interfaces/ICreatorVault.sol";
import {UNKNOWN} from "scripts/prove/unknown/Unknown.sol";

/// @notice Rows may add anything; what they write is assembly, which the checker cannot read.
library PackedCredits {
    struct Account {
        uint128 credited;
        uint128 paid;
    }

    function raise(ICreatorVault.CreditRow[] calldata) internal pure returns (uint256, bytes memory entries) {
        return (UNKNOWN.number(), entries);
    }
}
