// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {CreatorVault} from "./CreatorVault.sol";
import {IHubAccount} from "./interfaces/IHubAccount.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";

// Immutables are named by the interface, whose getters they are.
/* solhint-disable immutable-vars-naming */

/// @title HubAccount
/// @notice See `IHubAccount`.
contract HubAccount is IHubAccount {
    /* CONSTANTS */

    bytes4 private constant _INVALID_SIGNATURE = 0xffffffff;

    /* STORAGE */

    /// @inheritdoc IHubAccount
    address public immutable channels;

    /// @inheritdoc IHubAccount
    address public immutable canonicalChannels;

    /// @inheritdoc IHubAccount
    address public immutable vault;

    /// @inheritdoc IHubAccount
    address public admin;

    /// @inheritdoc IHubAccount
    address public pendingAdmin;

    /// @inheritdoc IHubAccount
    address public operator;

    /// @inheritdoc IHubAccount
    mapping(address claimer => bool allowed) public isClaimer;

    /* CONSTRUCTOR */

    /// @notice Deploys the account and its vault. Each needs the other's address, so one deploys the other: whoever
    /// knows the account's address knows the vault's (CREATE, nonce 1). Emits `AdminChanged` and `OperatorChanged`.
    ///
    /// Requires an admin and a payment channels contract.
    /// @param admin_ Who names the keys.
    /// @param operator_ The first operator, zero for none.
    /// @param channels_ The hub's payment channels contract.
    /// @param canonicalChannels_ The canonical one, zero where there is none; it may be deployed later.
    constructor(address admin_, address operator_, address channels_, address canonicalChannels_) {
        if (admin_ == address(0)) revert ZeroAdmin();
        if (channels_.code.length == 0) revert NoCode(channels_);

        channels = channels_;
        canonicalChannels = canonicalChannels_;
        vault = address(new CreatorVault(address(this), channels_, canonicalChannels_));
        admin = admin_;
        emit AdminChanged(address(0), admin_);
        operator = operator_;
        emit OperatorChanged(address(0), operator_);
    }

    /* OPERATE */

    /// @inheritdoc IHubAccount
    function run(Call[] calldata calls) external returns (bytes[] memory results) {
        bool isOperator = msg.sender == operator;
        if (!isOperator && !isClaimer[msg.sender]) revert NotOperatorOrClaimer(msg.sender);

        results = new bytes[](calls.length);
        for (uint256 index = 0; index < calls.length; ++index) {
            address target = calls[index].target;
            bytes calldata data = calls[index].data;
            if (isOperator) _checkOperatorCall(index, target);
            else _checkClaimerCall(index, target, data);
            if (target.code.length == 0) revert NoCode(target);

            // Which function of the target is called is the caller's choice.
            // solhint-disable-next-line avoid-low-level-calls
            (bool succeeded, bytes memory result) = target.call(data);
            if (!succeeded) revert CallFailed(index, result);
            results[index] = result;
        }
    }

    /* ADMINISTER */

    /// @inheritdoc IHubAccount
    function setOperator(address newOperator) external {
        _checkAdmin();

        emit OperatorChanged(operator, newOperator);
        operator = newOperator;
    }

    /// @inheritdoc IHubAccount
    function setClaimer(address claimer, bool allowed) external {
        _checkAdmin();

        isClaimer[claimer] = allowed;
        emit ClaimerChanged(claimer, allowed);
    }

    /// @inheritdoc IHubAccount
    function transferAdmin(address newAdmin) external {
        _checkAdmin();

        pendingAdmin = newAdmin;
        emit AdminTransferStarted(admin, newAdmin);
    }

    /// @inheritdoc IHubAccount
    function acceptAdmin() external {
        if (msg.sender != pendingAdmin) revert NotPendingAdmin(msg.sender, pendingAdmin);

        emit AdminChanged(admin, msg.sender);
        admin = msg.sender;
        delete pendingAdmin;
    }

    /* VIEWS */

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address signer, ECDSA.RecoverError failure, ) = ECDSA.tryRecoverCalldata(hash, signature);
        // An account without operator must not take the zero address of a failed recovery for one.
        bool isValid = failure == ECDSA.RecoverError.NoError && signer == operator;
        return isValid ? IERC1271.isValidSignature.selector : _INVALID_SIGNATURE;
    }

    /* INTERNAL */

    function _checkAdmin() private view {
        if (msg.sender != admin) revert NotAdmin(msg.sender, admin);
    }

    function _checkOperatorCall(uint256 index, address target) private view {
        if (target != channels && target != canonicalChannels && target != vault) {
            revert TargetNotAllowed(index, target);
        }
    }

    /// @dev `multicall` is not among the functions, since it would carry any other.
    function _checkClaimerCall(uint256 index, address target, bytes calldata data) private view {
        if (target != channels && target != canonicalChannels) revert TargetNotAllowed(index, target);
        bytes4 selector = data.length < 4 ? bytes4(0) : bytes4(data[:4]);
        if (
            selector != IPaymentChannels.claim.selector &&
            selector != IPaymentChannels.claimWithSignature.selector &&
            selector != IPaymentChannels.claimPacked.selector &&
            selector != IPaymentChannels.claimTicks.selector &&
            selector != IPaymentChannels.settle.selector
        ) revert SelectorNotAllowed(index, selector);
    }
}
