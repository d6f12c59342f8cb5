// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IDepositCollector
/// @notice Brings a payer's tokens to the payment channels contract that calls it.
///
/// A collector spends authority that payers gave it for one channel. It must therefore obey nobody but its payment
/// channels contract, must check that the authority names the channel, and must not spend plain allowances: anyone can
/// open a channel that names a victim as payer and their own key as payer authorizer.
interface IDepositCollector {
    /// @notice The caller is not the payment channels contract of this collector.
    /// @param sender The caller.
    /// @param channels The payment channels contract.
    error NotChannels(address sender, address channels);

    /// @notice Moves tokens from the payer to the payment channels contract, which checks that all of it arrived.
    ///
    /// Requires that the caller is the collector's payment channels contract, and the payer's authority over exactly
    /// this token, amount and channel.
    /// @param payer Whose tokens are moved.
    /// @param token The token.
    /// @param amount What is moved, in base units.
    /// @param channelId The channel for which the payer gave authority.
    /// @param sender Who called the payment channels contract.
    /// @param data What the collector needs, such as a signature.
    function collect(
        address payer,
        address token,
        uint256 amount,
        bytes32 channelId,
        address sender,
        bytes calldata data
    ) external;

    /// @notice The payment channels contract that this collector serves.
    /// @return Its address.
    function channels() external view returns (address);
}
