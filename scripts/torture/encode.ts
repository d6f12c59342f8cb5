// The model's calls as the chain takes them, and the chain's answers as the model gives them.

import type { Abi, Address, Hex } from 'viem'
import {
  concatHex,
  decodeErrorResult,
  decodeEventLog,
  encodeFunctionData,
  numberToHex,
  parseAbi,
  sliceHex,
  toEventSelector,
  toFunctionSelector,
  zeroAddress,
} from 'viem'
import {
  creatorVaultAbi,
  hubAccountAbi,
  paymentChannelsAbi,
  permit2DepositCollectorAbi,
  testTokenAbi,
} from '#protocol/abi.ts'
import { channelId } from '#protocol/channel.ts'
import { collectorData, permit2CollectorData } from '#protocol/deposit.ts'
import { packClaims, unpackClaimed } from '#protocol/packed-claim.ts'
import type { ClaimRow, PackedRow } from './model/channels.ts'
import { type Authority, collectorOf } from './model/collectors.ts'
import { type Call, targetOf } from './model/hub.ts'
import type { Said, Setting, Signature } from './model/state.ts'

const ours: Abi = [...paymentChannelsAbi, ...creatorVaultAbi, ...hubAccountAbi]
const permit2Abi = parseAbi([
  'error InvalidNonce()',
  'error InvalidSignature()',
  'error InvalidSigner()',
  'error InvalidContractSignature()',
  'error SignatureExpired(uint256 signatureDeadline)',
])
const abi: Abi = [...ours, ...testTokenAbi, ...permit2DepositCollectorAbi, ...permit2Abi]
const eventOfTopic = new Map(
  ours.flatMap((item) => (item.type === 'event' ? [[toEventSelector(item), item] as const] : [])),
)
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** What turns a call into bytes: the parties, and who can sign. */
export type Encoder = { setting: Setting; sign: (signer: Address, digest: Hex) => Hex }

export function encodeCall(encoder: Encoder, call: Call): { to: Address; data: Hex } {
  return { to: targetOf(call, encoder.setting), data: encodeData(encoder, call) }
}

function encodeData(encoder: Encoder, call: Call): Hex {
  switch (call.kind) {
    case 'depositDirect':
    case 'initiateWithdraw':
    case 'refund':
      return encode(call.kind, [call.config, call.amount])
    case 'finalizeWithdraw':
      return encode(call.kind, [call.config])
    case 'deposit': {
      const { config, amount, authority, isCollectorNamed } = call
      const collector = isCollectorNamed ? collectorOf(authority, encoder.setting) : zeroAddress
      return encode(call.kind, [config, amount, collector, authorityData(encoder, authority)])
    }
    case 'collect': {
      const { payer, token } = call.config
      const id = channelId(call.config, encoder.setting.separators.channels)
      const data = authorityData(encoder, call.authority)
      return encode(call.kind, [payer, token, call.amount, id, payer, data])
    }
    case 'claim':
      return encode(call.kind, [claimRows(encoder, call.rows)])
    case 'claimWithSignature': {
      const signature = signatureBytes(encoder, call.signature)
      return encode(call.kind, [claimRows(encoder, call.rows), signature])
    }
    case 'claimPacked': {
      const { receiver, receiverAuthorizer, token, withdrawDelay } = call.shared
      const rows = packedRows(encoder, call)
      return encode(call.kind, [receiver, receiverAuthorizer, token, withdrawDelay, rows])
    }
    case 'claimTicks': {
      const { config, terms, preimage, ticks, total } = call
      const signature = signatureBytes(encoder, call.signature)
      const claim = { channel: config, terms, signature, preimage, ticks, totalClaimed: total }
      return encode(call.kind, [claim])
    }
    case 'settle':
      return encode(call.kind, [call.receiver, call.token])
    case 'refundWithSignature': {
      const signature = signatureBytes(encoder, call.signature)
      return encode(call.kind, [call.config, call.amount, call.nonce, signature])
    }
    case 'credit':
      return encode(call.kind, [call.token, call.rows, call.journal])
    case 'pay':
      return encode(call.kind, [call.token, call.to, call.amount, call.memo])
    case 'payWithSignature': {
      const { account, token, to, amount, memo, nonce, deadline } = call.payment
      const signature = signatureBytes(encoder, call.signature)
      return encode(call.kind, [account, token, to, amount, memo, nonce, deadline, signature])
    }
    case 'cancel':
      return encode(call.kind, [call.nonce])
    case 'run': {
      const calls = call.calls.map((inner) => {
        const { to, data } = encodeCall(encoder, inner)
        return { target: to, data }
      })
      return encode(call.kind, [calls])
    }
    case 'setOperator':
      return encode(call.kind, [call.operator])
    case 'setClaimer':
      return encode(call.kind, [call.claimer, call.allowed])
    case 'transfer':
      return encode(call.kind, [call.to, call.amount])
  }
}

/** An error as the model says it. */
export function decodeError(data: Hex): Said {
  const { errorName, args } = decodeErrorResult({ abi, data })
  const values = [...(args ?? [])]
  if (errorName === 'CallFailed') values[1] = decodeError(values[1] as Hex)
  return { name: errorName, args: values }
}

/** An event as the model says it, or nothing when it is one that the model does not speak of. */
export function decodeEvent(log: { data: Hex; topics: [Hex, ...Hex[]] }): Said | undefined {
  const item = eventOfTopic.get(log.topics[0])
  // Which accounts a credit raised shows in the accounts, however its event tells it.
  if (item === undefined || item.name.startsWith('Credited')) return undefined
  const { args } = decodeEventLog({ abi: [item], ...log })
  const named: Readonly<Record<string, unknown>> = { ...args }
  const values = item.inputs.map(({ name }) => named[name ?? ''])
  if (item.name === 'ClaimedPacked') values[3] = unpackClaimed(values[3] as Hex)
  return { name: item.name, args: values }
}

/** What the model says, with functions as the chain names them. */
export function spell(said: Said): Said {
  const { name, args } = said
  if (name === 'CallFailed') return { name, args: [args[0], spell(args[1] as Said)] }
  if (name !== 'SelectorNotAllowed') return said
  const item = abi.find((entry) => entry.type === 'function' && entry.name === args[1])
  return item?.type === 'function' ? { name, args: [args[0], toFunctionSelector(item)] } : said
}

function encode(functionName: string, args: unknown[]): Hex {
  return encodeFunctionData({ abi, functionName, args })
}

function authorityData(encoder: Encoder, authority: Authority): Hex {
  const signature = signatureBytes(encoder, authority.signature)
  switch (authority.kind) {
    case 'erc3009':
      return collectorData({ ...authority, signature })
    case 'permit2': {
      const permit = authority.permit && {
        ...authority.permit,
        signature: signatureBytes(encoder, authority.permit.signature),
      }
      return permit2CollectorData({ ...authority, signature }, permit)
    }
  }
}

function claimRows(encoder: Encoder, rows: ClaimRow[]) {
  return rows.map(({ config, max, total, signature }) => ({
    voucher: { channel: config, maxClaimableAmount: max },
    signature: signatureBytes(encoder, signature),
    totalClaimed: total,
  }))
}

function packedRows(encoder: Encoder, { rows, isCut }: { rows: PackedRow[]; isCut: boolean }): Hex {
  const bytes = packClaims(
    rows.map(({ config, max, total, tipsHash, signature }) => ({
      payer: config.payer,
      payerAuthorizer: config.payerAuthorizer,
      maxClaimableAmount: max,
      claim: total,
      salt: config.salt,
      tipsHash,
      signature: signatureBytes(encoder, signature),
    })),
  )
  return isCut && rows.length > 0 ? sliceHex(bytes, 0, rows.length * 200 - 1) : bytes
}

function signatureBytes({ sign }: Encoder, { signer, digest, flaw }: Signature): Hex {
  const good = sign(signer, digest)
  const r = sliceHex(good, 0, 32)
  const s = sliceHex(good, 32, 64)
  const v = Number(sliceHex(good, 64))
  const zero = numberToHex(0, { size: 32 })
  switch (flaw) {
    case 'none':
      return good
    case 'high s': {
      const mirrored = numberToHex(order - BigInt(s), { size: 32 })
      return concatHex([r, mirrored, numberToHex(55 - v, { size: 1 })])
    }
    case 'low v':
      return concatHex([r, s, numberToHex(v - 27, { size: 1 })])
    case 'short':
      return concatHex([r, s])
    case 'zero r':
      return concatHex([zero, s, numberToHex(v, { size: 1 })])
    case 'zero s':
      return concatHex([r, zero, numberToHex(v, { size: 1 })])
  }
}
