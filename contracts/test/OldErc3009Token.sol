// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title OldErc3009Token
/// @notice A test token whose ERC-3009 takes signatures as v, r, s only.
contract OldErc3009Token is ERC3009 {
    /// @notice Deploys the token without supply.
    constructor() ERC20("Jandon Test Dollar", "JTD") EIP712("Jandon Test Dollar", "1") {}

    /// @notice Makes new tokens out of nothing.
    /// @param to Who gets them.
    /// @param amount How many, in base units.
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
