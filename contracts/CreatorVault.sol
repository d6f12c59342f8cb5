// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ICreatorVault} from "./interfaces/ICreatorVault.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {PackedCredits} from "./PackedCredits.sol";

// Immutables are named by the interface, whose getters they are.
/* solhint-disable immutable-vars-naming */

/// @title CreatorVault
/// @notice See `ICreatorVault`.
contract CreatorVault is ICreatorVault, EIP712 {
    using SafeERC20 for IERC20;
    using PackedCredits for mapping(address account => PackedCredits.Account totals);

    /* CONSTANTS */

    bytes32 private constant _PAYMENT_TYPEHASH = keccak256(
        "Payment(address account,address token,address to,uint128 amount,bytes32 memo,uint256 nonce,uint256 deadline)" // solhint-disable-line max-line-length
    );

    /* STORAGE */

    /// @inheritdoc ICreatorVault
    address public immutable hub;

    /// @inheritdoc ICreatorVault
    address public immutable channels;

    /// @inheritdoc ICreatorVault
    address public immutable canonicalChannels;

    /// @inheritdoc ICreatorVault
    mapping(address token => mapping(address account => PackedCredits.Account totals)) public accounts;

    /// @inheritdoc ICreatorVault
    mapping(address token => uint256 amount) public owed;

    /// @inheritdoc ICreatorVault
    mapping(address account => mapping(uint256 nonce => bool used)) public nonceUsed;

    /* CONSTRUCTOR */

    /// @notice Deploys a vault; nothing of this can be changed.
    /// @param hub_ Who may credit.
    /// @param channels_ The hub's payment channels contract.
    /// @param canonicalChannels_ The canonical one, zero where there is none; it may be deployed later.
    constructor(
        address hub_,
        address channels_,
        address canonicalChannels_
    ) EIP712("jandon CreatorVault", "1") {
        hub = hub_;
        channels = channels_;
        canonicalChannels = canonicalChannels_;
    }

    /* CREDIT */

    /// @inheritdoc ICreatorVault
    function credit(address token, CreditRow[] calldata rows, bytes32 journal) external {
        if (msg.sender != hub) revert NotHub(msg.sender, hub);

        _settle(channels, token);
        if (canonicalChannels != channels && canonicalChannels.code.length != 0) {
            _settle(canonicalChannels, token);
        }

        (uint256 amount, bytes memory entries) = accounts[token].raise(rows);
        uint256 newOwed = owed[token] + amount;
        uint256 held = IERC20(token).balanceOf(address(this));
        if (newOwed > held) revert OwedAboveHeld(token, newOwed, held);
        owed[token] = newOwed;
        if (entries.length > 0) emit CreditedPacked(token, entries);
        emit Journal(journal, token, amount, newOwed);
    }

    /* PAY */

    /// @inheritdoc ICreatorVault
    function pay(address token, address to, uint128 amount, bytes32 memo) external {
        _checkPayment(to, amount);

        _pay(msg.sender, token, to, amount, memo);
    }

    /// @inheritdoc ICreatorVault
    function payWithSignature(
        address account,
        address token,
        address to,
        uint128 amount,
        bytes32 memo,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external {
        _checkPayment(to, amount);
        if (block.timestamp > deadline) revert PaymentExpired(deadline, block.timestamp);
        _useNonce(account, nonce);
        bytes32 digest = getPaymentDigest(account, token, to, amount, memo, nonce, deadline);
        if (!SignatureChecker.isValidSignatureNowCalldata(account, digest, signature)) {
            revert InvalidPaymentSignature(account, digest);
        }

        _pay(account, token, to, amount, memo);
    }

    /// @inheritdoc ICreatorVault
    function cancel(uint256 nonce) external {
        _useNonce(msg.sender, nonce);
        emit NonceCancelled(msg.sender, nonce);
    }

    /* VIEWS */

    /// @inheritdoc ICreatorVault
    function getPaymentDigest(
        address account,
        address token,
        address to,
        uint128 amount,
        bytes32 memo,
        uint256 nonce,
        uint256 deadline
    ) public view returns (bytes32) {
        return
            _hashTypedDataV4(
                keccak256(abi.encode(_PAYMENT_TYPEHASH, account, token, to, amount, memo, nonce, deadline))
            );
    }

    /* INTERNAL */

    function _settle(address target, address token) private {
        (uint128 totalClaimed, uint128 totalSettled) = IPaymentChannels(target).receivers(
            address(this),
            token
        );
        if (totalClaimed > totalSettled) IPaymentChannels(target).settle(address(this), token);
    }

    function _useNonce(address account, uint256 nonce) private {
        if (nonceUsed[account][nonce]) revert NonceAlreadyUsed(account, nonce);
        nonceUsed[account][nonce] = true;
    }

    /// @dev Reentrancy finds everything written: the tokens leave last.
    function _pay(address account, address token, address to, uint128 amount, bytes32 memo) private {
        PackedCredits.Account storage totals = accounts[token][account];
        uint128 paid = totals.paid;
        uint128 available = totals.credited - paid;
        if (amount > available) revert InsufficientCredit(token, account, amount, available);

        uint128 newPaid = paid + amount;
        totals.paid = newPaid;
        owed[token] -= amount;
        emit Paid(token, account, to, amount, newPaid, memo);

        IERC20(token).safeTransfer(to, amount);
    }

    function _checkPayment(address to, uint128 amount) private view {
        if (amount == 0) revert ZeroAmount();
        if (to == address(0) || to == address(this)) revert InvalidRecipient(to);
    }
}
