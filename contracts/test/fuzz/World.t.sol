// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CreatorVault} from "../../CreatorVault.sol";
import {HubAccount} from "../../HubAccount.sol";
import {PaymentChannels} from "../../PaymentChannels.sol";
import {Erc3009DepositCollector} from "../../collectors/Erc3009DepositCollector.sol";
import {Permit2DepositCollector} from "../../collectors/Permit2DepositCollector.sol";
import {IHubAccount} from "../../interfaces/IHubAccount.sol";
import {IPaymentChannels} from "../../interfaces/IPaymentChannels.sol";
import {TestToken} from "../TestToken.sol";
import {TestWallet} from "../TestWallet.sol";

/// @notice The cheatcodes that these tests use.
interface ICheats {
    function prank(address sender) external;
    function warp(uint256 time) external;
    function etch(address target, bytes calldata code) external;
    function readFile(string calldata path) external view returns (string memory);
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
}

/// @notice The parties, their keys, eight channels, and the ghosts: what every amount must be, kept beside the
/// contracts and computed from the sentences of their interfaces.
abstract contract World {
    /* TYPES */

    /// @notice A channel, who signs its vouchers, and who signs for its receiver side.
    struct Line {
        IPaymentChannels.ChannelConfig config;
        bytes32 id;
        uint256 voucherKey;
        bool isHubs;
    }

    /// @notice What a channel must look like; `ceiling` is the highest maximum ever signed.
    struct ChannelGhost {
        uint128 balance;
        uint128 claimed;
        uint128 ceiling;
        uint128 pending;
        uint40 initiatedAt;
        uint256 nonce;
    }

    /// @notice The highest totals seen so far.
    struct Seen {
        uint128 first;
        uint128 second;
        uint256 nonce;
    }

    /* CONSTANTS */

    ICheats internal constant CHEATS = ICheats(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 internal constant STRANGER_KEY = 0xbad;
    address internal constant ADMIN = address(0xad);
    address internal constant MERCHANT = address(0x3e4c);
    uint256 internal constant MERCHANT_KEY = 0x3e4d;
    address internal constant PERMIT2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;
    bytes32 private constant _RECEIVE_TYPEHASH = keccak256(
        "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)" // solhint-disable-line max-line-length
    );

    /* STORAGE */

    PaymentChannels public channels;
    HubAccount public hub;
    CreatorVault public vault;
    Erc3009DepositCollector public collector;
    Permit2DepositCollector public permit2Collector;
    TestToken[2] public tokens;

    /// @notice Everybody who may hold tokens; what each of them must hold is in `wallets`.
    address[] public parties;
    address[4] public creators;
    uint256[4] internal creatorKeys = [uint256(0xc1), 0xc2, 0xc3, 0xc4];
    uint256[3] internal payerKeys = [uint256(0xa1), 0xa2, 0xa3];
    uint256[2] internal sessionKeys = [uint256(0xe1), 0xe2];
    uint256 internal operatorKey = 0x0901;
    address internal claimer = address(0xc1a1);
    Line[8] internal lines;

    mapping(uint256 line => ChannelGhost ghost) internal ghosts;
    mapping(address token => mapping(address party => uint256 held)) public wallets;
    mapping(address token => mapping(address receiver => uint128 total)) internal claimedFor;
    mapping(address token => mapping(address receiver => uint128 total)) internal settledTo;
    mapping(address token => mapping(address account => uint128 total)) public creditedTo;
    mapping(address token => mapping(address account => uint128 total)) public paidBy;

    /// @notice Set when a total that may only rise has fallen, with its name.
    string public fallen;
    mapping(bytes32 what => Seen totals) private _seen;
    uint256 private _turns;

    /* CONSTRUCTOR */

    constructor() {
        channels = new PaymentChannels();
        collector = new Erc3009DepositCollector(address(channels));
        permit2Collector = new Permit2DepositCollector(address(channels));
        // The code of Ethereum's mainnet; hardhat.config.ts lets it be read.
        string memory file = CHEATS.readFile("contracts/test/permit2.json");
        CHEATS.etch(PERMIT2, CHEATS.parseJsonBytes(file, ".bytecode"));
        hub = new HubAccount(ADMIN, CHEATS.addr(operatorKey), address(channels), address(0));
        vault = CreatorVault(hub.vault());
        CHEATS.prank(ADMIN);
        hub.setClaimer(claimer, true);
        tokens[0] = new TestToken();
        tokens[1] = new TestToken();

        // The last creator and the last payer are contract wallets.
        for (uint256 i = 0; i < 4; ++i) creators[i] = CHEATS.addr(creatorKeys[i]);
        creators[3] = address(new TestWallet(creators[3]));
        address[3] memory payers = [
            CHEATS.addr(payerKeys[0]),
            CHEATS.addr(payerKeys[1]),
            address(new TestWallet(CHEATS.addr(payerKeys[2])))
        ];
        _openLines(payers);

        for (uint256 i = 0; i < 4; ++i) parties.push(creators[i]);
        for (uint256 i = 0; i < 3; ++i) _fund(payers[i]);
        _allowPermit2(payers[0]);
        _allowPermit2(payers[2]);
        _fund(CHEATS.addr(STRANGER_KEY));
        parties.push(MERCHANT);
        parties.push(address(channels));
        parties.push(address(vault));
        parties.push(address(hub));
        parties.push(address(collector));
        parties.push(address(permit2Collector));
        parties.push(PERMIT2);
    }

    /* VIEWS */

    function lineAt(uint256 index) external view returns (Line memory, ChannelGhost memory) {
        return (lines[index], ghosts[index]);
    }

    function partyCount() external view returns (uint256) {
        return parties.length;
    }

    function receiverTotals(address receiver, address token) external view returns (uint128, uint128) {
        return (claimedFor[token][receiver], settledTo[token][receiver]);
    }

    /* INTERNAL: GHOSTS */

    /// @dev Notes a transfer that must have happened.
    function _move(address token, address from, address to, uint256 amount) internal {
        wallets[token][from] -= amount;
        wallets[token][to] += amount;
    }

    /// @dev Notes totals that may only rise and have fallen. Looks at one of each kind a turn: the highest totals seen
    /// stay, so that a fall is noticed within eight turns.
    function _observe() internal {
        uint256 turn = _turns++;
        bytes32 id = lines[turn % lines.length].id;
        (, uint128 first) = channels.channels(id);
        _mark("channel: claimed, nonce", id, Seen(first, 0, channels.refundNonce(id)));

        address token = address(tokens[turn % 2]);
        address account = creators[(turn / 2) % 4];
        uint128 second;
        (first, second) = vault.accounts(token, account);
        _mark("account: credited, paid", keccak256(abi.encode(token, account)), Seen(first, second, 0));

        address receiver = turn % 4 < 2 ? address(vault) : MERCHANT;
        (first, second) = channels.receivers(receiver, token);
        _mark("receiver: claimed, settled", keccak256(abi.encode(token, receiver)), Seen(first, second, 0));
    }

    /* INTERNAL: CALLS AND SIGNATURES */

    /// @dev Calls as the receiver side of a line: as the hub through its operator, or as the merchant's authorizer.
    function _callAsReceiverSide(Line storage line, bytes memory data) internal returns (bool succeeded) {
        if (line.isHubs) return _run(CHEATS.addr(operatorKey), address(channels), data);
        return _callAs(line.config.receiverAuthorizer, address(channels), data);
    }

    function _run(address sender, address target, bytes memory data) internal returns (bool succeeded) {
        IHubAccount.Call[] memory calls = new IHubAccount.Call[](1);
        calls[0] = IHubAccount.Call(target, data);
        return _callAs(sender, address(hub), abi.encodeCall(hub.run, (calls)));
    }

    function _callAs(address sender, address target, bytes memory data) internal returns (bool succeeded) {
        CHEATS.prank(sender);
        (succeeded, ) = target.call(data);
    }

    /// @dev Calls, and must be refused with exactly this error.
    function _refuseWith(
        address sender,
        address target,
        bytes memory data,
        bytes memory error,
        string memory what
    ) internal {
        CHEATS.prank(sender);
        (bool succeeded, bytes memory result) = target.call(data);
        _require(!succeeded && keccak256(result) == keccak256(error), what);
    }

    /// @dev What the ERC-3009 collector needs.
    function _authorize(
        Line storage line,
        uint128 amount,
        uint256 salt
    ) internal view returns (bytes memory) {
        bytes32 authorization = keccak256(
            abi.encode(
                _RECEIVE_TYPEHASH,
                line.config.payer,
                address(collector),
                uint256(amount),
                uint256(0),
                type(uint256).max,
                keccak256(abi.encode(line.id, salt))
            )
        );
        bytes32 domain = TestToken(line.config.token).DOMAIN_SEPARATOR();
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, authorization));
        return abi.encode(uint256(0), type(uint256).max, salt, _sign(_payerKey(line), digest));
    }

    /// @dev Who signs for the payer: itself, or the owner of the wallet.
    function _payerKey(Line storage line) internal view returns (uint256) {
        if (line.config.payer == CHEATS.addr(payerKeys[0])) return payerKeys[0];
        if (line.config.payer == CHEATS.addr(payerKeys[1])) return payerKeys[1];
        return payerKeys[2];
    }

    function _sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = CHEATS.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _require(bool fact, string memory what) internal pure {
        // The tests' own failures are strings, so that the report says what went wrong.
        // solhint-disable-next-line gas-custom-errors
        require(fact, what);
    }

    /// @dev From `low` to `high`, both included.
    function _between(uint256 seed, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + (seed % (high - low + 1));
    }

    /// @dev Amounts are small as often as large.
    function _amount(uint256 seed) internal pure returns (uint128) {
        return uint128(seed % 2 == 0 ? _between(seed >> 1, 1, 1_000) : _between(seed >> 1, 1, 1 << 96));
    }

    /* PRIVATE */

    function _mark(string memory name, bytes32 what, Seen memory now_) private {
        Seen memory before = _seen[what];
        if (now_.first < before.first || now_.second < before.second || now_.nonce < before.nonce) {
            fallen = name;
        }
        if (now_.first != before.first || now_.second != before.second || now_.nonce != before.nonce) {
            _seen[what] = now_;
        }
    }

    function _fund(address party) private {
        parties.push(party);
        for (uint256 t = 0; t < 2; ++t) {
            tokens[t].mint(party, 1 << 120);
            wallets[address(tokens[t])][party] = 1 << 120;
            CHEATS.prank(party);
            tokens[t].approve(address(channels), type(uint256).max);
        }
    }

    function _allowPermit2(address party) private {
        for (uint256 t = 0; t < 2; ++t) {
            CHEATS.prank(party);
            tokens[t].approve(PERMIT2, type(uint256).max);
        }
    }

    function _openLines(address[3] memory payers) private {
        address first = CHEATS.addr(sessionKeys[0]);
        address second = CHEATS.addr(sessionKeys[1]);
        // Lines 0 to 2 and lines 4 to 5 can share a packed claim. Where the authorizer is zero, the payer signs.
        _openLine(0, payers[0], first, 0, 15 minutes, true);
        _openLine(1, payers[1], second, 0, 15 minutes, true);
        _openLine(2, payers[0], second, 0, 15 minutes, true);
        _openLine(3, payers[1], first, 1, 1 days, true);
        _openLine(4, payers[0], first, 0, 15 minutes, false);
        _openLine(5, payers[2], second, 0, 15 minutes, false);
        _openLine(6, payers[1], address(0), 1, 30 days, false);
        _openLine(7, payers[2], address(0), 1, 15 minutes, false);
        lines[6].voucherKey = payerKeys[1];
        lines[7].voucherKey = payerKeys[2];
    }

    function _openLine(
        uint256 index,
        address payer,
        address authorizer,
        uint256 token,
        uint40 withdrawDelay,
        bool isHubs
    ) private {
        Line storage line = lines[index];
        line.config = IPaymentChannels.ChannelConfig({
            payer: payer,
            payerAuthorizer: authorizer,
            receiver: isHubs ? address(vault) : MERCHANT,
            receiverAuthorizer: isHubs ? address(hub) : CHEATS.addr(MERCHANT_KEY),
            token: address(tokens[token]),
            withdrawDelay: withdrawDelay,
            salt: bytes32(index)
        });
        line.id = channels.getChannelId(line.config);
        line.voucherKey = authorizer == CHEATS.addr(sessionKeys[0]) ? sessionKeys[0] : sessionKeys[1];
        line.isHubs = isHubs;
    }
}
