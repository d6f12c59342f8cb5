// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IPaymentChannels
/// @notice One-way payment channels of the x402 `batch-settlement` scheme, with tip vouchers, packed claims
/// and ticks.
///
/// A payer escrows tokens in a channel and signs vouchers, each stating the most that the receiver may have claimed
/// in total. The receiver side claims what it charged on many channels at once, then one settle call moves the sum.
/// The payer gets the rest back by a refund (the receiver side agrees, at once) or by a withdrawal (alone, after
/// `withdrawDelay`).
///
/// Amounts are base units of the channel's token. Claim amounts are cumulative over the life of a channel; times are
/// seconds. A channel is identified by the EIP-712 hash of its config, so its id binds chain and contract.
///
/// Token assumptions: `transfer` and `transferFrom` move exactly the stated amount, balances change through transfers
/// only, and total supply fits in uint128. A token that takes a fee on transfer is refused at deposit. A token that
/// changes balances by itself harms the channels of that token and no others.
interface IPaymentChannels {
    /* TYPES */

    /// @notice Why a row of a packed claim was left out.
    enum SkipReason {
        NoAuthorizer,
        AboveMaximum,
        NoBalance,
        BadSignature
    }

    /// @notice The immutable terms of a channel.
    /// @param payer Who gets refunds and withdrawals. A label: anyone may fund a channel that names someone else.
    /// @param payerAuthorizer Key that signs vouchers (ECDSA only); zero means that the payer signs (ERC-1271 too).
    /// @param receiver Who is paid by `settle`.
    /// @param receiverAuthorizer Who may claim and refund beside the receiver, by call or by signature.
    /// @param token The ERC-20 token of the channel.
    /// @param withdrawDelay Seconds between initiating and finalizing a withdrawal.
    /// @param salt Tells channels with equal terms apart.
    struct ChannelConfig {
        address payer;
        address payerAuthorizer;
        address receiver;
        address receiverAuthorizer;
        address token;
        uint40 withdrawDelay;
        bytes32 salt;
    }

    /// @notice What a payer signs, with the channel spelt out.
    /// @param channel The channel's terms.
    /// @param maxClaimableAmount Most that may be claimed in total.
    struct Voucher {
        ChannelConfig channel;
        uint128 maxClaimableAmount;
    }

    /// @notice One row of a standard claim.
    /// @param voucher The voucher.
    /// @param signature The payer side's signature of the voucher.
    /// @param totalClaimed What the receiver side wants to have claimed in total after this row.
    struct VoucherClaim {
        Voucher voucher;
        bytes signature;
        uint128 totalClaimed;
    }

    /// @notice What a payer signs for a stream, beside the channel: from `baseAmount` on, each tick is worth
    /// `tickAmount` more, and a preimage of the hash chain that ends in `root` proves how many ticks there were. A
    /// link is keccak256(preimage, channelId, baseAmount), each 32 bytes: preimages pay in one channel, from one base.
    /// @param to The creator, as in a tip.
    /// @param baseAmount The claimed total that ticks count from; without any tick, what the commitment is worth.
    /// @param tickAmount What a tick adds.
    /// @param maxTicks How many ticks the chain has, at most `MAX_TICKS`.
    /// @param root The end of the chain.
    struct TickTerms {
        bytes32 to;
        uint128 baseAmount;
        uint128 tickAmount;
        uint32 maxTicks;
        bytes32 root;
    }

    /// @notice A claim of ticks.
    /// @param channel The channel's terms.
    /// @param terms The terms of the stream.
    /// @param signature The payer side's signature of both, a `TickCommitment`.
    /// @param preimage What leads to the root in `ticks` links.
    /// @param ticks How many ticks there were.
    /// @param totalClaimed What the receiver side wants to have claimed in total after this.
    struct TickClaim {
        ChannelConfig channel;
        TickTerms terms;
        bytes signature;
        bytes32 preimage;
        uint32 ticks;
        uint128 totalClaimed;
    }

    /* EVENTS */

    /// @notice A deposit reached a channel that held nothing and from which nothing was ever claimed.
    /// @param channelId The channel.
    /// @param config Its terms.
    event ChannelCreated(bytes32 indexed channelId, ChannelConfig config);

    /// @notice A channel from which nothing was ever claimed holds nothing any more.
    /// @param channelId The channel.
    /// @param config Its terms.
    event ChannelClosed(bytes32 indexed channelId, ChannelConfig config);

    /// @notice Tokens were added to a channel.
    /// @param channelId The channel.
    /// @param sender Who called.
    /// @param amount What was added.
    /// @param newBalance The channel's balance after it.
    event Deposited(bytes32 indexed channelId, address indexed sender, uint128 amount, uint128 newBalance);

    /// @notice The claimed total of a channel was raised by a standard claim or by ticks.
    /// @param channelId The channel.
    /// @param sender Who called.
    /// @param claimAmount What was added.
    /// @param newTotalClaimed The claimed total after it.
    event Claimed(
        bytes32 indexed channelId,
        address indexed sender,
        uint128 claimAmount,
        uint128 newTotalClaimed
    );

    /// @notice The claimed totals of some channels were raised by a packed claim.
    /// @param receiver The receiver of all of them.
    /// @param token The token of all of them.
    /// @param sender Who called.
    /// @param entries 48 bytes for each channel claimed on, in row order: channel id (32), new claimed total (16).
    event ClaimedPacked(
        address indexed receiver,
        address indexed token,
        address indexed sender,
        bytes entries
    );

    /// @notice A row of a packed claim was left out.
    /// @param channelId The channel that the row describes.
    /// @param row Index of the row, from 0.
    /// @param reason Why.
    event ClaimSkipped(bytes32 indexed channelId, uint256 row, SkipReason reason);

    /// @notice Claimed tokens went to the receiver.
    /// @param receiver The receiver.
    /// @param token The token.
    /// @param sender Who called.
    /// @param amount What was sent.
    event Settled(address indexed receiver, address indexed token, address indexed sender, uint128 amount);

    /// @notice The payer can finalize a withdrawal from `finalizeAfter` on.
    /// @param channelId The channel.
    /// @param amount What was asked for.
    /// @param finalizeAfter Time in seconds.
    event WithdrawInitiated(bytes32 indexed channelId, uint128 amount, uint40 finalizeAfter);

    /// @notice A withdrawal ended.
    /// @param channelId The channel.
    /// @param sender Who called.
    /// @param amount What was sent to the payer, possibly 0.
    event WithdrawFinalized(bytes32 indexed channelId, address indexed sender, uint128 amount);

    /// @notice Unclaimed tokens went back to the payer.
    /// @param channelId The channel.
    /// @param sender Who called.
    /// @param amount What was sent.
    event Refunded(bytes32 indexed channelId, address indexed sender, uint128 amount);

    /* ERRORS */

    /// @notice The config names no payer.
    error ZeroPayer();

    /// @notice The config names no receiver.
    error ZeroReceiver();

    /// @notice The config names no receiver authorizer.
    error ZeroReceiverAuthorizer();

    /// @notice The config names no token.
    error ZeroToken();

    /// @notice The withdraw delay is not within `MIN_WITHDRAW_DELAY` and `MAX_WITHDRAW_DELAY`.
    /// @param withdrawDelay The delay of the config, in seconds.
    error WithdrawDelayOutOfRange(uint40 withdrawDelay);

    /// @notice An amount of zero makes no sense here.
    error ZeroAmount();

    /// @notice No collector was named.
    error ZeroCollector();

    /// @notice The balance would not fit in 128 bits.
    /// @param channelId The channel.
    /// @param balance Its balance.
    /// @param amount What should be added.
    error BalanceOverflow(bytes32 channelId, uint128 balance, uint128 amount);

    /// @notice The tokens held did not grow by the deposited amount.
    /// @param token The token.
    /// @param expected What should be held after the deposit.
    /// @param held What is held.
    error DepositMismatch(address token, uint256 expected, uint256 held);

    /// @notice A claim has no rows.
    error EmptyBatch();

    /// @notice The caller is neither receiver nor receiver authorizer.
    /// @param sender The caller.
    /// @param receiver The receiver of the channel.
    /// @param receiverAuthorizer The receiver authorizer of the channel.
    error NotReceiverSide(address sender, address receiver, address receiverAuthorizer);

    /// @notice A row names another receiver authorizer than the first row.
    /// @param row Index of the row, from 0.
    /// @param expected The receiver authorizer of the first row.
    /// @param actual The receiver authorizer of this row.
    error MixedAuthorizers(uint256 row, address expected, address actual);

    /// @notice The receiver authorizer did not sign this.
    /// @param receiverAuthorizer Whose signature is needed.
    /// @param digest The EIP-712 digest that it would have to be of.
    error InvalidAuthorizerSignature(address receiverAuthorizer, bytes32 digest);

    /// @notice More is claimed than the voucher allows.
    /// @param channelId The channel.
    /// @param totalClaimed The claimed total asked for.
    /// @param maxClaimableAmount The most that the voucher allows.
    error ClaimAboveMaximum(bytes32 channelId, uint128 totalClaimed, uint128 maxClaimableAmount);

    /// @notice More is claimed than the channel's balance.
    /// @param channelId The channel.
    /// @param totalClaimed The claimed total asked for.
    /// @param balance The channel's balance.
    error ClaimAboveBalance(bytes32 channelId, uint128 totalClaimed, uint128 balance);

    /// @notice A commitment is to more ticks than any may be.
    /// @param maxTicks How many it is to.
    error TooManyTicks(uint32 maxTicks);

    /// @notice More ticks are claimed than were committed to.
    /// @param ticks How many are claimed.
    /// @param maxTicks How many were committed to.
    error TicksAboveMaximum(uint32 ticks, uint32 maxTicks);

    /// @notice The preimage does not lead to the root in that many ticks.
    /// @param root The root.
    /// @param end Where it leads.
    error WrongPreimage(bytes32 root, bytes32 end);

    /// @notice The payer side did not sign this voucher or commitment.
    /// @param channelId The channel.
    /// @param signer Whose signature is needed.
    error InvalidVoucherSignature(bytes32 channelId, address signer);

    /// @notice The rows of a packed claim are not a whole number of 200-byte rows.
    /// @param length Their length in bytes.
    error MalformedRows(uint256 length);

    /// @notice The caller is neither payer nor payer authorizer.
    /// @param sender The caller.
    /// @param payer The payer of the channel.
    /// @param payerAuthorizer The payer authorizer of the channel.
    error NotPayerSide(address sender, address payer, address payerAuthorizer);

    /// @notice A withdrawal is pending already.
    /// @param channelId The channel.
    /// @param amount The pending amount.
    /// @param initiatedAt When it was initiated, in seconds.
    error WithdrawalPending(bytes32 channelId, uint128 amount, uint40 initiatedAt);

    /// @notice No withdrawal is pending.
    /// @param channelId The channel.
    error NoWithdrawalPending(bytes32 channelId);

    /// @notice More is asked for than the channel holds unclaimed.
    /// @param channelId The channel.
    /// @param amount What is asked for.
    /// @param available What is held unclaimed.
    error WithdrawalAboveAvailable(bytes32 channelId, uint128 amount, uint128 available);

    /// @notice The withdraw delay has not passed.
    /// @param channelId The channel.
    /// @param finalizeAfter When it will have passed, in seconds.
    /// @param time The time now, in seconds.
    error WithdrawalTooEarly(bytes32 channelId, uint256 finalizeAfter, uint256 time);

    /// @notice The refund was signed for another nonce.
    /// @param channelId The channel.
    /// @param expected The channel's refund nonce.
    /// @param actual The nonce given.
    error RefundNonceMismatch(bytes32 channelId, uint256 expected, uint256 actual);

    /* FUNCTIONS IN LIFE-CYCLE ORDER */

    /// @notice Adds tokens, fetched by a collector, to a channel. Anyone may call: the collector decides what
    /// authorization it needs from whom. Emits `ChannelCreated` (see there) and `Deposited`.
    ///
    /// Requires a payer, a receiver, a receiver authorizer, a token, a withdraw delay in range, an amount above zero,
    /// a collector, a balance that fits, and that the tokens held grow by exactly `amount`.
    /// @param config The channel's terms.
    /// @param amount What is added.
    /// @param collector The contract that brings the tokens here (see `IDepositCollector`).
    /// @param collectorData What the collector needs, such as a signature.
    function deposit(
        ChannelConfig calldata config,
        uint128 amount,
        address collector,
        bytes calldata collectorData
    ) external;

    /// @notice Adds the caller's own tokens to a channel, by allowance. Nobody else's allowance can be spent.
    /// Emits `ChannelCreated` (see there) and `Deposited`.
    ///
    /// Requires a payer, a receiver, a receiver authorizer, a token, a withdraw delay in range, an amount above zero,
    /// a balance that fits, and that the tokens held grow by exactly `amount`.
    /// @param config The channel's terms; the payer need not be the caller.
    /// @param amount What is added.
    function depositDirect(ChannelConfig calldata config, uint128 amount) external;

    /// @notice Raises the claimed totals of channels. A row that claims nothing new changes nothing and is not looked
    /// at further. Emits `Claimed` for each row that does.
    ///
    /// Requires at least one row and, for each row, that the caller is receiver or receiver authorizer, a claim within
    /// the voucher's maximum, a claim within the balance, and the payer side's signature. One bad row reverts all.
    /// @param voucherClaims The rows.
    function claim(VoucherClaim[] calldata voucherClaims) external;

    /// @notice As `claim`, by anyone who holds the receiver authorizer's signature of the batch (ECDSA or ERC-1271).
    ///
    /// Requires at least one row, the same receiver authorizer in all rows, its signature and, for each row, what
    /// `claim` requires of the voucher.
    /// @param voucherClaims The rows.
    /// @param authorizerSignature Signature of `getClaimBatchDigest(voucherClaims)`.
    function claimWithSignature(
        VoucherClaim[] calldata voucherClaims,
        bytes calldata authorizerSignature
    ) external;

    /// @notice Raises the claimed totals of channels that share receiver, receiver authorizer, token and withdraw
    /// delay. A bad row is left out and reported, so that it cannot hold up the others. Whoever refunds in the same
    /// transaction must therefore use `claim`, which reverts instead. Emits `ClaimSkipped` for each row left out and
    /// `ClaimedPacked` once if anything was claimed.
    ///
    /// A row is 200 bytes: payer (20), payerAuthorizer (20), maxClaimableAmount (16), claim (16), salt (32),
    /// tipsHash (32), r (32), vs (32, ERC-2098). A `tipsHash` of zero means a plain voucher, any other a tip voucher.
    /// `claim` is the claimed total wanted and is cut to the balance. Rows are left out, in this order of checks,
    /// because they name no payer authorizer (contract signatures are not checked here), claim above their maximum,
    /// belong to a channel without balance, or bear no signature by the payer authorizer; a row that claims nothing
    /// new changes nothing and is not reported (checked before the signature).
    ///
    /// Requires that the caller is receiver or receiver authorizer, at least one row, and whole rows.
    /// @param receiver Receiver of all channels.
    /// @param receiverAuthorizer Receiver authorizer of all channels.
    /// @param token Token of all channels.
    /// @param withdrawDelay Withdraw delay of all channels, in seconds.
    /// @param rows The rows.
    /// @return claimed Sum of what was added to claimed totals.
    function claimPacked(
        address receiver,
        address receiverAuthorizer,
        address token,
        uint40 withdrawDelay,
        bytes calldata rows
    ) external returns (uint128 claimed);

    /// @notice Raises the claimed total of a channel by a preimage of a stream that the payer side committed to. A
    /// claim of nothing new changes nothing and is not looked at further. Emits `Claimed` if it does.
    ///
    /// Totals are cumulative: two commitments on one base, or one root committed to twice, are worth the higher of the
    /// two and never their sum.
    ///
    /// Requires that the caller is receiver or receiver authorizer, a commitment to at most `MAX_TICKS`, no more ticks
    /// than that, a claim within `baseAmount + ticks * tickAmount`, a claim within the balance, the payer side's
    /// signature, and a preimage that leads to the root.
    /// @param tickClaim The claim.
    function claimTicks(TickClaim calldata tickClaim) external;

    /// @notice Sends the receiver what was claimed for it and not sent yet. Anyone may call; nothing to send changes
    /// nothing. Emits `Settled` if something is sent.
    /// @param receiver The receiver.
    /// @param token The token.
    function settle(address receiver, address token) external;

    /// @notice Starts the clock of a withdrawal. It has no cancel and no expiry; vouchers stay claimable meanwhile.
    /// Emits `WithdrawInitiated`.
    ///
    /// Requires that the caller is payer or payer authorizer, an amount above zero, no pending withdrawal, and an
    /// amount within what is held unclaimed.
    /// @param config The channel's terms.
    /// @param amount What the payer wants back.
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external;

    /// @notice Sends the payer what was asked for, cut to what is held unclaimed now. Emits `WithdrawFinalized` and
    /// `ChannelClosed` (see there).
    ///
    /// Requires that the caller is payer or payer authorizer, a pending withdrawal, and that its delay has passed.
    /// @param config The channel's terms.
    function finalizeWithdraw(ChannelConfig calldata config) external;

    /// @notice Sends unclaimed tokens back to the payer. Raises the refund nonce, even when nothing is left to send;
    /// then cuts the amount to what is held unclaimed. Shrinks a pending withdrawal by what is sent and cancels it
    /// when that covers it. Emits `Refunded` and `ChannelClosed` (see there) if something is sent.
    ///
    /// Requires that the caller is receiver or receiver authorizer, and an amount above zero.
    /// @param config The channel's terms.
    /// @param amount The most to send.
    function refund(ChannelConfig calldata config, uint128 amount) external;

    /// @notice As `refund`, by anyone who holds the receiver authorizer's signature (ECDSA or ERC-1271).
    ///
    /// Requires an amount above zero, the channel's refund nonce, and the receiver authorizer's signature.
    /// @param config The channel's terms.
    /// @param amount The most to send, as signed.
    /// @param nonce The refund nonce, as signed.
    /// @param receiverAuthorizerSignature Signature of `getRefundDigest`.
    function refundWithSignature(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 nonce,
        bytes calldata receiverAuthorizerSignature
    ) external;

    /* VIEWS */

    // Constants keep the case that the standard ABI gives them.
    /* solhint-disable func-name-mixedcase */

    /// @notice EIP-712 type hash of `ChannelConfig`.
    /// @return The hash.
    function CHANNEL_CONFIG_TYPEHASH() external view returns (bytes32);

    /// @notice EIP-712 type hash of `TipVoucher`, whose tips are `Tip(bytes32 to,uint128 amount,bytes32 ref)`.
    /// @return The hash.
    function TIP_VOUCHER_TYPEHASH() external view returns (bytes32);

    /// @notice EIP-712 type hash of `TickCommitment`.
    /// @return The hash.
    function TICK_COMMITMENT_TYPEHASH() external view returns (bytes32);

    /// @notice Most ticks that a commitment may be to.
    /// @return Their number.
    function MAX_TICKS() external view returns (uint32);

    /// @notice Shortest withdraw delay of a channel.
    /// @return Seconds.
    function MIN_WITHDRAW_DELAY() external view returns (uint40);

    /// @notice Longest withdraw delay of a channel.
    /// @return Seconds.
    function MAX_WITHDRAW_DELAY() external view returns (uint40);

    /* solhint-enable func-name-mixedcase */

    /// @notice Money of a channel; what is held unclaimed is `balance - totalClaimed`.
    /// @param channelId The channel.
    /// @return balance Everything deposited less what was refunded or withdrawn.
    /// @return totalClaimed Everything claimed, never more than `balance`.
    function channels(bytes32 channelId) external view returns (uint128 balance, uint128 totalClaimed);

    /// @notice The pending withdrawal of a channel.
    /// @param channelId The channel.
    /// @return amount What was asked for, less refunds since.
    /// @return initiatedAt When, in seconds; 0 if none is pending.
    function pendingWithdrawals(bytes32 channelId) external view returns (uint128 amount, uint40 initiatedAt);

    /// @notice Money of a receiver; what `settle` would send is `totalClaimed - totalSettled`.
    /// @param receiver The receiver.
    /// @param token The token.
    /// @return totalClaimed Everything claimed for it.
    /// @return totalSettled Everything sent to it.
    function receivers(
        address receiver,
        address token
    ) external view returns (uint128 totalClaimed, uint128 totalSettled);

    /// @notice How many refunds a channel has seen; the nonce that the next signed refund must name.
    /// @param channelId The channel.
    /// @return The nonce.
    function refundNonce(bytes32 channelId) external view returns (uint256);

    /// @notice The id of a channel: the EIP-712 digest of its config.
    /// @param config The channel's terms.
    /// @return The id.
    function getChannelId(ChannelConfig calldata config) external view returns (bytes32);

    /// @notice The digest that the payer side signs for a plain voucher.
    /// @param channelId The channel.
    /// @param maxClaimableAmount Most that may be claimed in total.
    /// @return The EIP-712 digest.
    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) external view returns (bytes32);

    /// @notice The digest that the payer side signs for a tip voucher.
    /// @param channelId The channel.
    /// @param maxClaimableAmount Most that may be claimed in total.
    /// @param tipsHash keccak256 of the concatenated EIP-712 struct hashes of the tips.
    /// @return The EIP-712 digest.
    function getTipVoucherDigest(
        bytes32 channelId,
        uint128 maxClaimableAmount,
        bytes32 tipsHash
    ) external view returns (bytes32);

    /// @notice The digest that the payer side signs for a stream.
    /// @param channelId The channel.
    /// @param terms The terms of the stream.
    /// @return The EIP-712 digest.
    function getTickCommitmentDigest(
        bytes32 channelId,
        TickTerms calldata terms
    ) external view returns (bytes32);

    /// @notice The digest that the receiver authorizer signs for a refund.
    /// @param channelId The channel.
    /// @param nonce The channel's refund nonce.
    /// @param amount The most to send.
    /// @return The EIP-712 digest.
    function getRefundDigest(
        bytes32 channelId,
        uint256 nonce,
        uint128 amount
    ) external view returns (bytes32);

    /// @notice The digest that the receiver authorizer signs for a batch of claims.
    /// @param voucherClaims The rows; their signatures are not part of the digest.
    /// @return The EIP-712 digest.
    function getClaimBatchDigest(VoucherClaim[] calldata voucherClaims) external view returns (bytes32);
}
