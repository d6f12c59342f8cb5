// What the vectors are signed with: fixed keys, domains and types, all stated here anew and hashed by viem's generic functions.

import type { Address, Hex } from 'viem'
import { hashStruct, hashTypedData, keccak256, stringToHex } from 'viem'
import { mnemonicToAccount } from 'viem/accounts'

type Members = readonly { name: string; type: string }[]
export type Values = Record<string, unknown>

/** The mnemonic that every local chain knows. */
export const mnemonic = 'test test test test test test test test test test test junk'
export const payer = mnemonicToAccount(mnemonic, { addressIndex: 0 })
export const payerAuthorizer = mnemonicToAccount(mnemonic, { addressIndex: 1 })
export const receiverAuthorizer = mnemonicToAccount(mnemonic, { addressIndex: 2 })
export const receiptSigner = mnemonicToAccount(mnemonic, { addressIndex: 3 })
export const creator = mnemonicToAccount(mnemonic, { addressIndex: 4 })

export const chainId = 31_337
export const vault: Address = '0x00000000000000000000000000000000000aa001'
export const hubAccount: Address = '0x00000000000000000000000000000000000aa002'
export const token: Address = '0x00000000000000000000000000000000000aa003'
export const treasury: Address = '0x00000000000000000000000000000000000aa004'
export const zeroAddress: Address = `0x${'00'.repeat(20)}`
export const fullAddress: Address = `0x${'ff'.repeat(20)}`
export const zeroHash: Hex = `0x${'00'.repeat(32)}`
export const fullHash: Hex = `0x${'ff'.repeat(32)}`
export const maxUint64 = 2n ** 64n - 1n
export const maxUint128 = 2n ** 128n - 1n
export const maxUint256 = 2n ** 256n - 1n

export const channelsDomain = {
  name: 'x402 Batch Settlement',
  version: '1',
  chainId,
  verifyingContract: lower('0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003'),
}
export const vaultDomain = {
  name: 'jandon CreatorVault',
  version: '1',
  chainId,
  verifyingContract: vault,
}
export const hubDomain = { name: 'jandon', version: '1', chainId, verifyingContract: hubAccount }

/** As in PROTOCOL.md, member by member. */
export const types = {
  ChannelConfig: members(
    'address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt',
  ),
  Voucher: members('bytes32 channelId,uint128 maxClaimableAmount'),
  Refund: members('bytes32 channelId,uint256 nonce,uint128 amount'),
  ClaimBatch: members('ClaimEntry[] claims'),
  ClaimEntry: members('bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed'),
  TipVoucher: members('bytes32 channelId,uint128 maxClaimableAmount,Tip[] tips'),
  Tip: members('bytes32 to,uint128 amount,bytes32 ref'),
  TickCommitment: members(
    'bytes32 channelId,bytes32 to,uint128 baseAmount,uint128 tickAmount,uint32 maxTicks,bytes32 root',
  ),
  Payment: members(
    'address account,address token,address to,uint128 amount,bytes32 memo,uint256 nonce,uint256 deadline',
  ),
  CommitGroup: members(
    'bytes32 epoch,uint64 number,bytes32 previous,bytes32 tipsRoot,uint32 tipCount,bytes32 journalHash,uint64 closedAt',
  ),
  PayoutQuote: members(
    'bytes32 quoteId,address account,address token,uint128 gross,string rail,string currency,uint128 net,bytes32 destination,uint64 expiresAt',
  ),
  Creator: members('string handle,address account,string displayName'),
}

/** The message with its digest, and the signature of a fixed key. */
export async function signed<Message extends Values>(
  account: typeof payer,
  {
    domain,
    primaryType,
    message,
  }: { domain: typeof hubDomain; primaryType: keyof typeof types; message: Message },
) {
  const typedData = { domain, types, primaryType, message }
  return {
    ...message,
    digest: hashTypedData(typedData),
    signer: lower(account.address),
    signature: await account.signTypedData(typedData),
  }
}

export function separatorOf(domain: typeof hubDomain): Hex {
  const domainTypes = {
    EIP712Domain: members('string name,string version,uint256 chainId,address verifyingContract'),
  }
  return hashStruct({ types: domainTypes, primaryType: 'EIP712Domain', data: domain })
}

/** Thirty-two bytes that differ for each name. */
export function some(name: string): Hex {
  return keccak256(stringToHex(`jandon vectors: ${name}`))
}

export function lower(hex: Hex): Hex {
  return hex.toLowerCase() as Hex
}

function members(text: string): Members {
  return text.split(',').map((member) => {
    const [type = '', name = ''] = member.split(' ')
    return { name, type }
  })
}
