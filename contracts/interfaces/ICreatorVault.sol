// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title ICreatorVault
/// @notice Holds what creators own. The hub can credit accounts and cannot take anything back; an account pays itself
/// out at once, or signs for someone else to relay it.
///
/// The vault is the receiver of the hub's channels. It has no owner, answers no ERC-1271 (tokens with ERC-3009 accept
/// contract signatures), gives no allowances and calls nothing but tokens and `settle`. Tokens that are held but owed
/// to nobody, such as those of foreign channels that name the vault as receiver, wait for the hub to credit them.
///
/// Amounts are base units of the token. Token assumptions are those of `IPaymentChannels`. A token that takes a fee on
/// transfer, shrinks balances or blocks the vault harms the accounts of that token and no others.
interface ICreatorVault {
    /* TYPES */

    /// @notice One row of a credit.
    /// @param account Who is credited.
    /// @param credited What it shall have been credited in total.
    struct CreditRow {
        address account;
        uint128 credited;
    }

    /* EVENTS */

    /// @notice Accounts were credited. What an account got is its new total less the total before it.
    /// @param token The token.
    /// @param entries 36 bytes for each row that added something, in row order: account (20), new credited total (16).
    event CreditedPacked(address indexed token, bytes entries);

    /// @notice A batch of credits was applied.
    /// @param journal What the hub anchors with it, the head of its receipt chain.
    /// @param token The token.
    /// @param amount Sum of what was added.
    /// @param newOwed What is owed to all accounts together after it.
    event Journal(bytes32 indexed journal, address indexed token, uint256 amount, uint256 newOwed);

    /// @notice An account paid.
    /// @param token The token.
    /// @param account The account.
    /// @param to Who got it.
    /// @param amount What was sent.
    /// @param newPaid What the account has paid in total.
    /// @param memo What the account wrote to it.
    event Paid(
        address indexed token,
        address indexed account,
        address indexed to,
        uint128 amount,
        uint128 newPaid,
        bytes32 memo
    );

    /// @notice An account took back a nonce.
    /// @param account The account.
    /// @param nonce The nonce.
    event NonceCancelled(address indexed account, uint256 nonce);

    /* ERRORS */

    /// @notice The caller is not the hub.
    /// @param sender The caller.
    /// @param hub The hub.
    error NotHub(address sender, address hub);

    /// @notice This account could never pay.
    /// @param row Index of the row, from 0.
    /// @param account The account.
    error AccountNotPayable(uint256 row, address account);

    /// @notice More would be owed than is held.
    /// @param token The token.
    /// @param owed What would be owed.
    /// @param held What is held.
    error OwedAboveHeld(address token, uint256 owed, uint256 held);

    /// @notice A payment of nothing.
    error ZeroAmount();

    /// @notice Tokens sent there would belong to nobody.
    /// @param to Where they should go.
    error InvalidRecipient(address to);

    /// @notice The account has less than it wants to pay.
    /// @param token The token.
    /// @param account The account.
    /// @param amount What it wants to pay.
    /// @param available What it has.
    error InsufficientCredit(address token, address account, uint128 amount, uint128 available);

    /// @notice The signature is no longer valid.
    /// @param deadline The last second at which it was.
    /// @param time The time now, in seconds.
    error PaymentExpired(uint256 deadline, uint256 time);

    /// @notice The nonce was used or cancelled.
    /// @param account The account.
    /// @param nonce The nonce.
    error NonceAlreadyUsed(address account, uint256 nonce);

    /// @notice The account did not sign this payment.
    /// @param account The account.
    /// @param digest The EIP-712 digest that the signature would have to be of.
    error InvalidPaymentSignature(address account, bytes32 digest);

    /* FUNCTIONS IN LIFE-CYCLE ORDER */

    /// @notice Raises what accounts have been credited. Settles the payment channels contracts first if they hold
    /// anything for the vault. A row that is not above what its account has been credited changes nothing. Emits
    /// `CreditedPacked` once if any row does, and `Journal`.
    ///
    /// Requires that the caller is the hub, that each row's account is neither zero nor the vault, and that what is
    /// owed afterwards is held.
    /// @param token The token.
    /// @param rows Accounts with the total that each shall have been credited.
    /// @param journal What is anchored, the head of the hub's receipt chain.
    function credit(address token, CreditRow[] calldata rows, bytes32 journal) external;

    /// @notice Sends the caller's tokens. Emits `Paid`.
    ///
    /// Requires an amount above zero, a recipient that is neither zero nor the vault, and enough credit.
    /// @param token The token.
    /// @param to Who gets it.
    /// @param amount What is sent.
    /// @param memo Anything, such as the id of a payout.
    function pay(address token, address to, uint128 amount, bytes32 memo) external;

    /// @notice As `pay`, by anyone who holds the account's signature (ECDSA or ERC-1271). Nonces may be used in any
    /// order, each once. Emits `Paid`.
    ///
    /// Requires an amount above zero, a recipient that is neither zero nor the vault, a deadline not passed, an unused
    /// nonce, the account's signature, and enough credit.
    /// @param account Who pays.
    /// @param token The token.
    /// @param to Who gets it.
    /// @param amount What is sent.
    /// @param memo Anything, such as the id of a payout.
    /// @param nonce Any number that the account has not used.
    /// @param deadline Last second at which the signature is valid.
    /// @param signature The account's signature of `getPaymentDigest`.
    function payWithSignature(
        address account,
        address token,
        address to,
        uint128 amount,
        bytes32 memo,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Makes the caller's signed payment with this nonce worthless. Emits `NonceCancelled`.
    ///
    /// Requires an unused nonce.
    /// @param nonce The nonce.
    function cancel(uint256 nonce) external;

    /* VIEWS */

    /// @notice Who may credit.
    /// @return The hub.
    function hub() external view returns (address);

    /// @notice The hub's payment channels contract.
    /// @return Its address.
    function channels() external view returns (address);

    /// @notice The canonical x402 payment channels contract.
    /// @return Its address, zero where there is none, equal to `channels` where they are the same.
    function canonicalChannels() external view returns (address);

    /// @notice Money of an account; what it has is `credited - paid`.
    /// @param token The token.
    /// @param account The account.
    /// @return credited What it has been credited in total; never falls.
    /// @return paid What it has paid in total, never more than `credited`.
    function accounts(address token, address account) external view returns (uint128 credited, uint128 paid);

    /// @notice What all accounts together have.
    /// @param token The token.
    /// @return The sum of `credited - paid`.
    function owed(address token) external view returns (uint256);

    /// @notice Whether an account used or cancelled a nonce.
    /// @param account The account.
    /// @param nonce The nonce.
    /// @return Whether it did.
    function nonceUsed(address account, uint256 nonce) external view returns (bool);

    /// @notice The digest that an account signs for a payment.
    /// @param account Who pays.
    /// @param token The token.
    /// @param to Who gets it.
    /// @param amount What is sent.
    /// @param memo Anything.
    /// @param nonce Any number that the account has not used.
    /// @param deadline Last second at which the signature is valid.
    /// @return The EIP-712 digest.
    function getPaymentDigest(
        address account,
        address token,
        address to,
        uint128 amount,
        bytes32 memo,
        uint256 nonce,
        uint256 deadline
    ) external view returns (bytes32);
}
