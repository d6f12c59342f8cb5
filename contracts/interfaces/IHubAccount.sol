// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title IHubAccount
/// @notice The on-chain identity of a hub: receiver authorizer of its channels and `hub` of its vault. Keys behind it
/// can be replaced although its address is part of every channel id.
///
/// It holds no tokens and gives no allowances. The admin (cold, may be a contract wallet) names the keys. The operator
/// (hot) does all that a hub does. Claimers, such as a watchtower, can only move money toward the receiver. A stolen
/// operator key reaches unclaimed vouchers and what is not credited in the vault, nothing else.
interface IHubAccount is IERC1271 {
    /* TYPES */

    /// @notice One call, without value.
    /// @param target Whom to call.
    /// @param data Selector and arguments.
    struct Call {
        address target;
        bytes data;
    }

    /* EVENTS */

    /// @notice Another operator was named.
    /// @param oldOperator Who it was.
    /// @param newOperator Who it is, zero for none.
    event OperatorChanged(address indexed oldOperator, address indexed newOperator);

    /// @notice A claimer was named or dismissed.
    /// @param claimer Who.
    /// @param allowed Whether it may claim from now on.
    event ClaimerChanged(address indexed claimer, bool allowed);

    /// @notice A new admin was proposed.
    /// @param admin Who proposed.
    /// @param pendingAdmin Who may accept, zero for nobody.
    event AdminTransferStarted(address indexed admin, address indexed pendingAdmin);

    /// @notice Another admin took over.
    /// @param oldAdmin Who it was.
    /// @param newAdmin Who it is.
    event AdminChanged(address indexed oldAdmin, address indexed newAdmin);

    /* ERRORS */

    /// @notice An account without admin could never replace a lost key.
    error ZeroAdmin();

    /// @notice There is no contract at an address that must be one.
    /// @param target The address.
    error NoCode(address target);

    /// @notice The caller is not the admin.
    /// @param sender The caller.
    /// @param admin The admin.
    error NotAdmin(address sender, address admin);

    /// @notice The caller is not the proposed admin.
    /// @param sender The caller.
    /// @param pendingAdmin Who may accept.
    error NotPendingAdmin(address sender, address pendingAdmin);

    /// @notice The caller is neither operator nor claimer.
    /// @param sender The caller.
    error NotOperatorOrClaimer(address sender);

    /// @notice The caller may not call this target.
    /// @param index Index of the call, from 0.
    /// @param target The target.
    error TargetNotAllowed(uint256 index, address target);

    /// @notice A claimer may not call this function.
    /// @param index Index of the call, from 0.
    /// @param selector The function's selector, zero if the data is shorter than one.
    error SelectorNotAllowed(uint256 index, bytes4 selector);

    /// @notice A call reverted.
    /// @param index Index of the call, from 0.
    /// @param reason Its revert data.
    error CallFailed(uint256 index, bytes reason);

    /* FUNCTIONS */

    /// @notice Makes calls in order, all or none.
    ///
    /// Requires that the caller is the operator, and then for each call that its target is the payment channels
    /// contract, the canonical one or the vault; or that the caller is a claimer, and then for each call that its
    /// target is one of the two payment channels contracts and its function `claim`, `claimWithSignature`,
    /// `claimPacked`, `claimTicks` or `settle`. Requires for each call that its target has code and that it does not
    /// revert.
    /// @param calls The calls.
    /// @return results What each call returned.
    function run(Call[] calldata calls) external returns (bytes[] memory results);

    /// @notice Names the operator. Emits `OperatorChanged`. Requires that the caller is the admin.
    /// @param newOperator The operator, zero for none.
    function setOperator(address newOperator) external;

    /// @notice Names or dismisses a claimer. Emits `ClaimerChanged`. Requires that the caller is the admin.
    /// @param claimer The claimer.
    /// @param allowed Whether it may claim.
    function setClaimer(address claimer, bool allowed) external;

    /// @notice Proposes another admin, who takes over by `acceptAdmin`. Emits `AdminTransferStarted`.
    /// Requires that the caller is the admin.
    /// @param newAdmin Who may accept; zero takes a proposal back.
    function transferAdmin(address newAdmin) external;

    /// @notice Makes the caller admin. Emits `AdminChanged`. Requires that the caller is the proposed admin.
    function acceptAdmin() external;

    /* VIEWS */

    /// @notice Who names the keys.
    /// @return The admin.
    function admin() external view returns (address);

    /// @notice Who may become admin by accepting.
    /// @return The proposed admin, zero for nobody.
    function pendingAdmin() external view returns (address);

    /// @notice Whose calls are made and whose signatures count as the account's own under ERC-1271.
    /// @return The operator, zero for none.
    function operator() external view returns (address);

    /// @notice Whether an address may claim.
    /// @param claimer The address.
    /// @return Whether it may.
    function isClaimer(address claimer) external view returns (bool);

    /// @notice The hub's payment channels contract.
    /// @return Its address.
    function channels() external view returns (address);

    /// @notice The canonical x402 payment channels contract.
    /// @return Its address, zero where there is none, equal to `channels` where they are the same.
    function canonicalChannels() external view returns (address);

    /// @notice The vault that this account's constructor deployed.
    /// @return Its address.
    function vault() external view returns (address);
}
