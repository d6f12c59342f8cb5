// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ChannelHashes} from "./ChannelHashes.sol";
import {IDepositCollector} from "./interfaces/IDepositCollector.sol";
import {IPaymentChannels} from "./interfaces/IPaymentChannels.sol";
import {Frame, PackedClaims, Row} from "./PackedClaims.sol";
import {TickChains} from "./TickChains.sol";

/// @title PaymentChannels
/// @notice See `IPaymentChannels`. Nobody owns, upgrades or pauses this contract.
///
/// Functions that move tokens are guarded against reentrancy, because a deposit trusts the growth of the tokens held.
/// Claims and `initiateWithdraw` move none and call nothing that can write, so that they need no guard.
contract PaymentChannels is IPaymentChannels, EIP712, Multicall, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using PackedClaims for bytes;
    using PackedClaims for Row;
    using TickChains for bytes32;

    /* TYPES */

    // slot 0: balance, totalClaimed
    struct Channel {
        uint128 balance;
        uint128 totalClaimed;
    }

    // slot 0: amount, initiatedAt
    struct Withdrawal {
        uint128 amount;
        uint40 initiatedAt;
    }

    // slot 0: totalClaimed, totalSettled
    struct Receiver {
        uint128 totalClaimed;
        uint128 totalSettled;
    }

    /* CONSTANTS */

    /// @inheritdoc IPaymentChannels
    uint40 public constant MIN_WITHDRAW_DELAY = 15 minutes;

    /// @inheritdoc IPaymentChannels
    uint40 public constant MAX_WITHDRAW_DELAY = 30 days;

    /// @inheritdoc IPaymentChannels
    uint32 public constant MAX_TICKS = 1024;

    /// @inheritdoc IPaymentChannels
    bytes32 public constant CHANNEL_CONFIG_TYPEHASH = ChannelHashes.CHANNEL_CONFIG_TYPEHASH;

    /// @inheritdoc IPaymentChannels
    bytes32 public constant TIP_VOUCHER_TYPEHASH = ChannelHashes.TIP_VOUCHER_TYPEHASH;

    /// @inheritdoc IPaymentChannels
    bytes32 public constant TICK_COMMITMENT_TYPEHASH = ChannelHashes.TICK_COMMITMENT_TYPEHASH;

    bytes32 private constant _REFUND_TYPEHASH = keccak256(
        "Refund(bytes32 channelId,uint256 nonce,uint128 amount)"
    );

    bytes32 private constant _CLAIM_ENTRY_TYPEHASH = keccak256(
        "ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
    );

    bytes32 private constant _CLAIM_BATCH_TYPEHASH = keccak256(
        "ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)" // solhint-disable-line max-line-length
    );

    /* STORAGE */

    /// @inheritdoc IPaymentChannels
    mapping(bytes32 channelId => Channel channel) public channels;

    /// @inheritdoc IPaymentChannels
    mapping(bytes32 channelId => Withdrawal withdrawal) public pendingWithdrawals;

    /// @inheritdoc IPaymentChannels
    mapping(address receiver => mapping(address token => Receiver totals)) public receivers;

    /// @inheritdoc IPaymentChannels
    mapping(bytes32 channelId => uint256 nonce) public refundNonce;

    /* CONSTRUCTOR */

    /// @notice Deploys the contract; its address and chain are part of everything that is signed for it.
    constructor() EIP712("x402 Batch Settlement", "1") {}

    /* DEPOSIT */

    /// @inheritdoc IPaymentChannels
    function deposit(
        ChannelConfig calldata config,
        uint128 amount,
        address collector,
        bytes calldata collectorData
    ) external nonReentrant {
        _checkDeposit(config, amount);
        if (collector == address(0)) revert ZeroCollector();

        bytes32 channelId = getChannelId(config);
        _addBalance(channelId, config, amount);

        address token = config.token;
        uint256 held = IERC20(token).balanceOf(address(this));
        IDepositCollector(collector).collect(
            config.payer,
            token,
            amount,
            channelId,
            msg.sender,
            collectorData
        );
        _checkHeld(token, held + amount);
    }

    /// @inheritdoc IPaymentChannels
    function depositDirect(ChannelConfig calldata config, uint128 amount) external nonReentrant {
        _checkDeposit(config, amount);

        _addBalance(getChannelId(config), config, amount);

        address token = config.token;
        uint256 held = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        _checkHeld(token, held + amount);
    }

    /* CLAIM AND SETTLE */

    /// @inheritdoc IPaymentChannels
    function claim(VoucherClaim[] calldata voucherClaims) external {
        uint256 length = voucherClaims.length;
        if (length == 0) revert EmptyBatch();

        bytes32 domain = _domainSeparatorV4();
        for (uint256 row = 0; row < length; ++row) {
            VoucherClaim calldata voucherClaim = voucherClaims[row];
            _checkReceiverSide(voucherClaim.voucher.channel);
            _claim(voucherClaim, domain);
        }
    }

    /// @inheritdoc IPaymentChannels
    function claimWithSignature(
        VoucherClaim[] calldata voucherClaims,
        bytes calldata authorizerSignature
    ) external {
        uint256 length = voucherClaims.length;
        if (length == 0) revert EmptyBatch();

        address authorizer = voucherClaims[0].voucher.channel.receiverAuthorizer;
        for (uint256 row = 1; row < length; ++row) {
            address other = voucherClaims[row].voucher.channel.receiverAuthorizer;
            if (other != authorizer) revert MixedAuthorizers(row, authorizer, other);
        }
        _checkAuthorizerSignature(authorizer, getClaimBatchDigest(voucherClaims), authorizerSignature);

        bytes32 domain = _domainSeparatorV4();
        for (uint256 row = 0; row < length; ++row) _claim(voucherClaims[row], domain);
    }

    /// @inheritdoc IPaymentChannels
    function claimPacked(
        address receiver,
        address receiverAuthorizer,
        address token,
        uint40 withdrawDelay,
        bytes calldata rows
    ) external returns (uint128 claimed) {
        if (msg.sender != receiver && msg.sender != receiverAuthorizer) {
            revert NotReceiverSide(msg.sender, receiver, receiverAuthorizer);
        }
        if (rows.length == 0) revert EmptyBatch();
        if (rows.length % PackedClaims.ROW_LENGTH != 0) revert MalformedRows(rows.length);

        uint256 length = rows.length / PackedClaims.ROW_LENGTH;
        bytes memory entries = PackedClaims.allocate(length);
        Frame frame = PackedClaims.frameOf(
            _domainSeparatorV4(),
            receiver,
            receiverAuthorizer,
            token,
            withdrawDelay
        );
        for (uint256 index = 0; index < length; ++index) {
            claimed += _claimRow(rows.rowAt(index), index, frame, entries);
        }
        if (claimed == 0) return 0;

        receivers[receiver][token].totalClaimed += claimed;
        emit ClaimedPacked(receiver, token, msg.sender, entries);
    }

    /// @inheritdoc IPaymentChannels
    function claimTicks(TickClaim calldata tickClaim) external {
        ChannelConfig calldata config = tickClaim.channel;
        _checkReceiverSide(config);
        bytes32 channelId = getChannelId(config);
        Channel storage channel = channels[channelId];
        (uint128 balance, uint128 claimed) = (channel.balance, channel.totalClaimed);
        uint128 totalClaimed = tickClaim.totalClaimed;
        if (totalClaimed <= claimed) return;
        _checkTicks(channelId, tickClaim);
        if (totalClaimed > balance) revert ClaimAboveBalance(channelId, totalClaimed, balance);
        TickTerms calldata terms = tickClaim.terms;
        bytes32 digest = getTickCommitmentDigest(channelId, terms);
        _checkVoucherSignature(channelId, config, digest, tickClaim.signature);
        bytes32 end = tickClaim.preimage.follow(channelId, terms.baseAmount, tickClaim.ticks);
        if (end != terms.root) revert WrongPreimage(terms.root, end);

        uint128 amount = totalClaimed - claimed;
        (channel.balance, channel.totalClaimed) = (balance, totalClaimed);
        receivers[config.receiver][config.token].totalClaimed += amount;
        emit Claimed(channelId, msg.sender, amount, totalClaimed);
    }

    /// @inheritdoc IPaymentChannels
    function settle(address receiver, address token) external nonReentrant {
        Receiver storage totals = receivers[receiver][token];
        uint128 totalClaimed = totals.totalClaimed;
        uint128 amount = totalClaimed - totals.totalSettled;
        if (amount == 0) return;

        totals.totalSettled = totalClaimed;
        emit Settled(receiver, token, msg.sender, amount);

        IERC20(token).safeTransfer(receiver, amount);
    }

    /* WITHDRAW AND REFUND */

    /// @inheritdoc IPaymentChannels
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external {
        _checkPayerSide(config);
        if (amount == 0) revert ZeroAmount();

        bytes32 channelId = getChannelId(config);
        Withdrawal memory pending = pendingWithdrawals[channelId];
        if (pending.initiatedAt != 0) {
            revert WithdrawalPending(channelId, pending.amount, pending.initiatedAt);
        }
        uint128 available = _available(channels[channelId]);
        if (amount > available) revert WithdrawalAboveAvailable(channelId, amount, available);

        uint40 time = uint40(block.timestamp);
        pendingWithdrawals[channelId] = Withdrawal({amount: amount, initiatedAt: time});
        emit WithdrawInitiated(channelId, amount, time + config.withdrawDelay);
    }

    /// @inheritdoc IPaymentChannels
    function finalizeWithdraw(ChannelConfig calldata config) external nonReentrant {
        _checkPayerSide(config);

        bytes32 channelId = getChannelId(config);
        Withdrawal memory pending = pendingWithdrawals[channelId];
        if (pending.initiatedAt == 0) revert NoWithdrawalPending(channelId);
        uint256 finalizeAfter = uint256(pending.initiatedAt) + config.withdrawDelay;
        if (block.timestamp < finalizeAfter) {
            revert WithdrawalTooEarly(channelId, finalizeAfter, block.timestamp);
        }

        delete pendingWithdrawals[channelId];
        Channel storage channel = channels[channelId];
        uint128 amount = _min(pending.amount, _available(channel));
        channel.balance -= amount;
        emit WithdrawFinalized(channelId, msg.sender, amount);
        _reportClosed(channelId, channel, config);

        if (amount > 0) IERC20(config.token).safeTransfer(config.payer, amount);
    }

    /// @inheritdoc IPaymentChannels
    function refund(ChannelConfig calldata config, uint128 amount) external nonReentrant {
        _checkReceiverSide(config);
        if (amount == 0) revert ZeroAmount();

        _refund(getChannelId(config), config, amount);
    }

    /// @inheritdoc IPaymentChannels
    function refundWithSignature(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 nonce,
        bytes calldata receiverAuthorizerSignature
    ) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        bytes32 channelId = getChannelId(config);
        if (nonce != refundNonce[channelId]) {
            revert RefundNonceMismatch(channelId, refundNonce[channelId], nonce);
        }
        _checkAuthorizerSignature(
            config.receiverAuthorizer,
            getRefundDigest(channelId, nonce, amount),
            receiverAuthorizerSignature
        );

        _refund(channelId, config, amount);
    }

    /* VIEWS */

    /// @inheritdoc IPaymentChannels
    function getChannelId(ChannelConfig calldata config) public view returns (bytes32) {
        return _hashTypedDataV4(ChannelHashes.hash(config));
    }

    /// @inheritdoc IPaymentChannels
    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) public view returns (bytes32) {
        return _hashTypedDataV4(ChannelHashes.hashVoucher(channelId, maxClaimableAmount));
    }

    /// @inheritdoc IPaymentChannels
    function getTipVoucherDigest(
        bytes32 channelId,
        uint128 maxClaimableAmount,
        bytes32 tipsHash
    ) public view returns (bytes32) {
        return _hashTypedDataV4(ChannelHashes.hashTipVoucher(channelId, maxClaimableAmount, tipsHash));
    }

    /// @inheritdoc IPaymentChannels
    function getTickCommitmentDigest(
        bytes32 channelId,
        TickTerms calldata terms
    ) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(TICK_COMMITMENT_TYPEHASH, channelId, terms)));
    }

    /// @inheritdoc IPaymentChannels
    function getRefundDigest(bytes32 channelId, uint256 nonce, uint128 amount) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(_REFUND_TYPEHASH, channelId, nonce, amount)));
    }

    /// @inheritdoc IPaymentChannels
    function getClaimBatchDigest(VoucherClaim[] calldata voucherClaims) public view returns (bytes32) {
        bytes32[] memory entries = new bytes32[](voucherClaims.length);
        for (uint256 row = 0; row < entries.length; ++row) {
            entries[row] = keccak256(
                abi.encode(
                    _CLAIM_ENTRY_TYPEHASH,
                    getChannelId(voucherClaims[row].voucher.channel),
                    voucherClaims[row].voucher.maxClaimableAmount,
                    voucherClaims[row].totalClaimed
                )
            );
        }
        return
            _hashTypedDataV4(
                keccak256(abi.encode(_CLAIM_BATCH_TYPEHASH, keccak256(abi.encodePacked(entries))))
            );
    }

    /* INTERNAL: EFFECTS */

    function _addBalance(bytes32 channelId, ChannelConfig calldata config, uint128 amount) private {
        Channel storage channel = channels[channelId];
        (uint128 balance, uint128 totalClaimed) = (channel.balance, channel.totalClaimed);
        if (amount > type(uint128).max - balance) revert BalanceOverflow(channelId, balance, amount);

        uint128 newBalance = balance + amount;
        (channel.balance, channel.totalClaimed) = (newBalance, totalClaimed);
        if (balance == 0 && totalClaimed == 0) emit ChannelCreated(channelId, config);
        emit Deposited(channelId, msg.sender, amount, newBalance);
    }

    function _claim(VoucherClaim calldata row, bytes32 domain) private {
        ChannelConfig calldata config = row.voucher.channel;
        bytes32 channelId = MessageHashUtils.toTypedDataHash(domain, ChannelHashes.hash(config));
        Channel storage channel = channels[channelId];
        (uint128 balance, uint128 claimed) = (channel.balance, channel.totalClaimed);
        uint128 totalClaimed = row.totalClaimed;
        if (totalClaimed <= claimed) return;
        uint128 maxClaimableAmount = row.voucher.maxClaimableAmount;
        if (totalClaimed > maxClaimableAmount) {
            revert ClaimAboveMaximum(channelId, totalClaimed, maxClaimableAmount);
        }
        if (totalClaimed > balance) revert ClaimAboveBalance(channelId, totalClaimed, balance);
        bytes32 voucher = ChannelHashes.hashVoucher(channelId, maxClaimableAmount);
        _checkVoucherSignature(
            channelId,
            config,
            MessageHashUtils.toTypedDataHash(domain, voucher),
            row.signature
        );

        uint128 amount = totalClaimed - claimed;
        (channel.balance, channel.totalClaimed) = (balance, totalClaimed);
        receivers[config.receiver][config.token].totalClaimed += amount;
        emit Claimed(channelId, msg.sender, amount, totalClaimed);
    }

    /// @dev Returns what the row added to its channel's claimed total. Writes to `frame` and `entries`.
    function _claimRow(Row row, uint256 index, Frame frame, bytes memory entries) private returns (uint128) {
        bytes32 channelId = row.channelId(frame);
        address payerAuthorizer = row.payerAuthorizer();
        if (payerAuthorizer == address(0)) return _skip(channelId, index, SkipReason.NoAuthorizer);

        (uint128 maxClaimableAmount, uint128 totalClaimed) = row.amounts();
        if (totalClaimed > maxClaimableAmount) return _skip(channelId, index, SkipReason.AboveMaximum);

        Channel storage channel = channels[channelId];
        (uint128 balance, uint128 claimed) = (channel.balance, channel.totalClaimed);
        if (balance == 0) return _skip(channelId, index, SkipReason.NoBalance);
        if (totalClaimed > balance) totalClaimed = balance;
        if (totalClaimed <= claimed) return 0;

        // What recovers to nobody comes back as the zero address, which this authorizer is not.
        if (row.signer(frame, channelId) != payerAuthorizer) {
            return _skip(channelId, index, SkipReason.BadSignature);
        }

        (channel.balance, channel.totalClaimed) = (balance, totalClaimed);
        entries.append(channelId, totalClaimed);
        // Checked above: the new total exceeds the old one.
        unchecked {
            return totalClaimed - claimed;
        }
    }

    /// @dev Returns 0, which is what a row that is left out adds.
    function _skip(bytes32 channelId, uint256 row, SkipReason reason) private returns (uint128) {
        emit ClaimSkipped(channelId, row, reason);
        return 0;
    }

    function _refund(bytes32 channelId, ChannelConfig calldata config, uint128 requested) private {
        ++refundNonce[channelId];
        Channel storage channel = channels[channelId];
        uint128 amount = _min(requested, _available(channel));
        if (amount == 0) return;

        channel.balance -= amount;
        Withdrawal storage pending = pendingWithdrawals[channelId];
        if (pending.initiatedAt != 0) {
            if (amount >= pending.amount) delete pendingWithdrawals[channelId];
            else pending.amount -= amount;
        }
        emit Refunded(channelId, msg.sender, amount);
        _reportClosed(channelId, channel, config);

        IERC20(config.token).safeTransfer(config.payer, amount);
    }

    function _reportClosed(
        bytes32 channelId,
        Channel storage channel,
        ChannelConfig calldata config
    ) private {
        if (channel.balance == 0 && channel.totalClaimed == 0) emit ChannelClosed(channelId, config);
    }

    /* INTERNAL: CHECKS */

    function _checkHeld(address token, uint256 expected) private view {
        uint256 held = IERC20(token).balanceOf(address(this));
        if (held != expected) revert DepositMismatch(token, expected, held);
    }

    function _checkReceiverSide(ChannelConfig calldata config) private view {
        if (msg.sender != config.receiver && msg.sender != config.receiverAuthorizer) {
            revert NotReceiverSide(msg.sender, config.receiver, config.receiverAuthorizer);
        }
    }

    function _checkPayerSide(ChannelConfig calldata config) private view {
        if (msg.sender != config.payer && msg.sender != config.payerAuthorizer) {
            revert NotPayerSide(msg.sender, config.payer, config.payerAuthorizer);
        }
    }

    function _checkAuthorizerSignature(
        address authorizer,
        bytes32 digest,
        bytes calldata signature
    ) private view {
        if (!SignatureChecker.isValidSignatureNowCalldata(authorizer, digest, signature)) {
            revert InvalidAuthorizerSignature(authorizer, digest);
        }
    }

    function _checkVoucherSignature(
        bytes32 channelId,
        ChannelConfig calldata config,
        bytes32 digest,
        bytes calldata signature
    ) private view {
        if (config.payerAuthorizer == address(0)) {
            if (!SignatureChecker.isValidSignatureNowCalldata(config.payer, digest, signature)) {
                revert InvalidVoucherSignature(channelId, config.payer);
            }
        } else {
            // An error comes with the zero address, which this authorizer is not.
            (address signer, , ) = ECDSA.tryRecoverCalldata(digest, signature);
            if (signer != config.payerAuthorizer) {
                revert InvalidVoucherSignature(channelId, config.payerAuthorizer);
            }
        }
    }

    function _available(Channel storage channel) private view returns (uint128) {
        return channel.balance - channel.totalClaimed;
    }

    function _checkTicks(bytes32 channelId, TickClaim calldata tickClaim) private pure {
        TickTerms calldata terms = tickClaim.terms;
        if (terms.maxTicks > MAX_TICKS) revert TooManyTicks(terms.maxTicks);
        if (tickClaim.ticks > terms.maxTicks) revert TicksAboveMaximum(tickClaim.ticks, terms.maxTicks);
        // A product of 128 and 32 bits, and a sum with 128: no overflow. It is cast only where it is below a uint128.
        uint256 worth = terms.baseAmount + uint256(terms.tickAmount) * tickClaim.ticks;
        if (tickClaim.totalClaimed > worth) {
            revert ClaimAboveMaximum(channelId, tickClaim.totalClaimed, uint128(worth));
        }
    }

    function _checkDeposit(ChannelConfig calldata config, uint128 amount) private pure {
        if (config.payer == address(0)) revert ZeroPayer();
        if (config.receiver == address(0)) revert ZeroReceiver();
        if (config.receiverAuthorizer == address(0)) revert ZeroReceiverAuthorizer();
        if (config.token == address(0)) revert ZeroToken();
        if (config.withdrawDelay < MIN_WITHDRAW_DELAY || config.withdrawDelay > MAX_WITHDRAW_DELAY) {
            revert WithdrawDelayOutOfRange(config.withdrawDelay);
        }
        if (amount == 0) revert ZeroAmount();
    }

    function _min(uint128 a, uint128 b) private pure returns (uint128) {
        return a < b ? a : b;
    }
}
