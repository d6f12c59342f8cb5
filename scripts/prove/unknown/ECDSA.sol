// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {UNKNOWN} from "scripts/prove/unknown/Unknown.sol";

/// @notice Any signature may be anyone's.
library ECDSA {
    enum RecoverError {
        NoError,
        InvalidSignature
    }

    function tryRecoverCalldata(
        bytes32,
        bytes calldata
    ) internal pure returns (address, RecoverError, bytes32) {
        return (UNKNOWN.account(), RecoverError.NoError, 0);
    }
}
