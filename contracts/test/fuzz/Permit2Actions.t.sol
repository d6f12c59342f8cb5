// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDepositCollector} from "../../interfaces/IDepositCollector.sol";
import {TestToken} from "../TestToken.sol";
import {ChannelActions} from "./ChannelActions.t.sol";

/// @notice Deposits by Permit2. The first payer allowed it everything, as wallets do, and so did the contract wallet;
/// the second payer allows each deposit by an ERC-2612 permit.
abstract contract Permit2Actions is ChannelActions {
    /* TYPES */

    /// @dev What a payer signs for Permit2.
    struct Transfer {
        uint256 key;
        address token;
        uint256 amount;
        address spender;
        uint256 nonce;
        uint256 deadline;
        bytes32 channelId;
    }

    /* CONSTANTS */

    bytes32 private constant _DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,uint256 chainId,address verifyingContract)"
    );
    bytes32 private constant _TOKEN_TYPEHASH = keccak256("TokenPermissions(address token,uint256 amount)");
    bytes32 private constant _WITNESS_TYPEHASH = keccak256("DepositWitness(bytes32 channelId)");
    bytes32 private constant _TRANSFER_TYPEHASH = keccak256(
        "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,DepositWitness witness)DepositWitness(bytes32 channelId)TokenPermissions(address token,uint256 amount)" // solhint-disable-line max-line-length
    );
    bytes32 private constant _PERMIT_TYPEHASH = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    );

    /* STORAGE */

    uint256 private _transfers;

    /* ACTIONS */

    /// @notice The payer deposits by a Permit2 signature, which works once; a permit that somebody used before does not
    /// stand in its way.
    function depositByPermit2(uint256 index, uint256 seed, bool isPermitUsed) external observed {
        index %= lines.length;
        Line storage line = lines[index];
        uint128 amount = _amount(seed);
        if (wallets[line.config.token][line.config.payer] < amount) return;

        Transfer memory transfer = _transferOf(line, amount);
        (bytes memory permitData, bytes memory permitCall) = _permit(line, amount);
        bytes memory data = abi.encodeCall(
            channels.deposit,
            (line.config, amount, address(permit2Collector), _collectorData(transfer, permitData))
        );
        address stranger = CHEATS.addr(STRANGER_KEY);
        if (permitCall.length > 0 && isPermitUsed) {
            _require(_callAs(stranger, line.config.token, permitCall), "permit");
        }
        _require(_callAs(stranger, address(channels), data), "deposit by Permit2");
        _deposited(index, line.config.payer, amount);
        bytes4 error = bytes4(keccak256("InvalidNonce()"));
        _refuseWith(
            stranger,
            address(channels),
            data,
            abi.encodeWithSelector(error),
            "a transfer was replayed"
        );
    }

    /// @notice A signature for another channel, amount, collector or token, of a stranger, or of yesterday is refused;
    /// and a good one is worth nothing to who asks the collector directly.
    function depositByForeignPermit2(uint256 index, uint256 seed, uint8 fault) external observed {
        index %= lines.length;
        Line storage line = lines[index];
        uint128 amount = _amount(seed);
        if (wallets[line.config.token][line.config.payer] < amount) return;

        Transfer memory transfer = _transferOf(line, amount);
        bytes4 selector =
            line.config.payer.code.length == 0
                ? bytes4(keccak256("InvalidSigner()"))
                : bytes4(keccak256("InvalidContractSignature()"));
        bytes memory error = abi.encodeWithSelector(selector);
        if (fault % 6 == 0) transfer.channelId = lines[(index + 1) % lines.length].id;
        if (fault % 6 == 1) transfer.key = STRANGER_KEY;
        if (fault % 6 == 2) transfer.amount += 1;
        if (fault % 6 == 3) transfer.spender = address(collector);
        if (fault % 6 == 4) transfer.token = address(channels);
        if (fault % 6 == 5) {
            transfer.deadline = block.timestamp - 1;
            error = abi.encodeWithSelector(bytes4(keccak256("SignatureExpired(uint256)")), transfer.deadline);
        }
        _refusePermit2(line, amount, transfer, error);
    }

    /* PRIVATE */

    function _refusePermit2(
        Line storage line,
        uint128 amount,
        Transfer memory transfer,
        bytes memory error
    ) private {
        address stranger = CHEATS.addr(STRANGER_KEY);
        (bytes memory permitData, ) = _permit(line, amount);
        bytes memory data = abi.encodeCall(
            channels.deposit,
            (line.config, amount, address(permit2Collector), _collectorData(transfer, permitData))
        );
        _refuseWith(stranger, address(channels), data, error, "a foreign transfer was made");

        data = _collectorData(_transferOf(line, amount), permitData);
        data = abi.encodeCall(
            permit2Collector.collect,
            (line.config.payer, line.config.token, amount, line.id, stranger, data)
        );
        error = abi.encodeWithSelector(IDepositCollector.NotChannels.selector, stranger, address(channels));
        _refuseWith(stranger, address(permit2Collector), data, error, "a stranger collected");
    }

    function _transferOf(Line storage line, uint128 amount) private returns (Transfer memory) {
        return
            Transfer({
                key: _payerKey(line),
                token: line.config.token,
                amount: amount,
                spender: address(permit2Collector),
                nonce: ++_transfers,
                deadline: block.timestamp,
                channelId: line.id
            });
    }

    /// @dev What the Permit2 collector needs.
    function _collectorData(
        Transfer memory transfer,
        bytes memory permitData
    ) private view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(_DOMAIN_TYPEHASH, keccak256("Permit2"), block.chainid, PERMIT2)
        );
        bytes32 structHash = keccak256(
            abi.encode(
                _TRANSFER_TYPEHASH,
                keccak256(abi.encode(_TOKEN_TYPEHASH, transfer.token, transfer.amount)),
                transfer.spender,
                transfer.nonce,
                transfer.deadline,
                keccak256(abi.encode(_WITNESS_TYPEHASH, transfer.channelId))
            )
        );
        bytes memory signature = _sign(
            transfer.key,
            keccak256(abi.encodePacked(hex"1901", domain, structHash))
        );
        return abi.encode(transfer.nonce, transfer.deadline, signature, permitData);
    }

    /// @dev An ERC-2612 permit toward Permit2, for the collector and as a call; empty for who allowed it everything.
    function _permit(
        Line storage line,
        uint128 amount
    ) private view returns (bytes memory permitData, bytes memory permitCall) {
        TestToken token = TestToken(line.config.token);
        address payer = line.config.payer;
        if (token.allowance(payer, PERMIT2) == type(uint256).max) return ("", "");
        uint256 deadline = block.timestamp;
        bytes32 structHash = keccak256(
            abi.encode(_PERMIT_TYPEHASH, payer, PERMIT2, uint256(amount), token.nonces(payer), deadline)
        );
        (uint8 v, bytes32 r, bytes32 s) = CHEATS.sign(
            _payerKey(line),
            keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash))
        );
        permitData = abi.encode(uint256(amount), deadline, v, r, s);
        permitCall = abi.encodeCall(token.permit, (payer, PERMIT2, amount, deadline, v, r, s));
    }
}
