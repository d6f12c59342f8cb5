// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title SilentToken
/// @notice A test token whose functions return nothing, as those of some old tokens do.
contract SilentToken {
    /// @notice What a holder has, in base units.
    mapping(address holder => uint256 amount) public balanceOf;

    /// @notice What a spender may take of a holder's tokens.
    mapping(address holder => mapping(address spender => uint256 amount)) public allowance;

    /// @notice Tokens moved.
    /// @param from Who had them.
    /// @param to Who got them.
    /// @param value How many.
    event Transfer(address indexed from, address indexed to, uint256 value);

    /// @notice Makes new tokens out of nothing.
    /// @param to Who gets them.
    /// @param amount How many.
    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
        emit Transfer(address(0), to, amount);
    }

    /// @notice Lets a spender take the caller's tokens.
    /// @param spender The spender.
    /// @param amount How many.
    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    /// @notice Moves the caller's tokens.
    /// @param to Who gets them.
    /// @param amount How many.
    function transfer(address to, uint256 amount) external {
        _move(msg.sender, to, amount);
    }

    /// @notice Moves a holder's tokens by allowance.
    /// @param from The holder.
    /// @param to Who gets them.
    /// @param amount How many.
    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
    }

    function _move(address from, address to, uint256 amount) private {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        emit Transfer(from, to, amount);
    }
}
