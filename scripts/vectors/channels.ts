// The vectors of a channel's life: its id, what the payer signs, what the receiver side signs, and the packed claims.

import type { Hex } from 'viem'
import {
  concatHex,
  encodeAbiParameters,
  encodePacked,
  hashStruct,
  hashTypedData,
  keccak256,
  numberToHex,
  pad,
  parseSignature,
  serializeCompactSignature,
  signatureToCompactSignature,
} from 'viem'
import {
  channelsDomain,
  creator,
  fullAddress,
  fullHash,
  lower,
  maxUint128,
  maxUint256,
  payer,
  payerAuthorizer,
  receiverAuthorizer,
  signed,
  some,
  token,
  types,
  vault,
  zeroAddress,
  zeroHash,
} from './typed-data.ts'

const hubConfig = {
  payer: lower(payer.address),
  payerAuthorizer: lower(payerAuthorizer.address),
  receiver: vault,
  receiverAuthorizer: lower(receiverAuthorizer.address),
  token,
  withdrawDelay: 86_400,
  salt: some('channel 0'),
}
const configs = [
  hubConfig,
  { ...hubConfig, salt: some('channel 1') },
  { ...hubConfig, payerAuthorizer: lower(payer.address), salt: some('channel 2') },
  { ...hubConfig, payerAuthorizer: zeroAddress },
  { ...hubConfig, withdrawDelay: 900, salt: zeroHash },
  { ...hubConfig, withdrawDelay: 2_592_000, salt: fullHash },
  {
    payer: fullAddress,
    payerAuthorizer: fullAddress,
    receiver: fullAddress,
    receiverAuthorizer: fullAddress,
    token: fullAddress,
    withdrawDelay: 2 ** 40 - 1,
    salt: fullHash,
  },
]
export const channels = configs.map((config) => ({
  config,
  channelId: hashTypedData({
    domain: channelsDomain,
    types,
    primaryType: 'ChannelConfig',
    message: config,
  }),
}))
const [first = zeroHash, second = zeroHash, third = zeroHash] = channels.map(
  ({ channelId }) => channelId,
)

export const vouchers = await Promise.all(
  [
    { channelId: first, maxClaimableAmount: 0n },
    { channelId: first, maxClaimableAmount: 1n },
    { channelId: second, maxClaimableAmount: 50_000n },
    { channelId: fullHash, maxClaimableAmount: maxUint128 },
  ].map((message) =>
    signed(payerAuthorizer, { domain: channelsDomain, primaryType: 'Voucher', message }),
  ),
)

export const tipVouchers = await Promise.all(
  [
    { channelId: first, maxClaimableAmount: 50_000n, tips: [tip(0, 50_000n)] },
    { channelId: second, maxClaimableAmount: maxUint128, tips: [tip(1, 1n), tip(2, maxUint128)] },
    {
      channelId: third,
      maxClaimableAmount: 1_000_000n,
      tips: Array.from({ length: 256 }, (_, at) => tip(at, BigInt(at + 1))),
    },
  ].map(async (message) => {
    const tipsHash = hashOfTips(message.tips)
    const basketId = keccak256(concatHex([message.channelId, tipsHash]))
    const { digest, signer, signature } = await signed(payerAuthorizer, {
      domain: channelsDomain,
      primaryType: 'TipVoucher',
      message,
    })
    return { ...message, tipsHash, basketId, digest, signer, signature }
  }),
)

// The preimages stand for 0, 1, 2 … ticks, as far as they are listed.
export const tickCommitments = await Promise.all(
  [
    { channelId: first, baseAmount: 0n, tickAmount: 1n, maxTicks: 1 },
    { channelId: second, baseAmount: 50_000n, tickAmount: 1_000n, maxTicks: 10 },
    { channelId: second, baseAmount: 50_001n, tickAmount: 1_000n, maxTicks: 10 },
    { channelId: third, baseAmount: 2n ** 100n, tickAmount: 3n, maxTicks: 1024 },
    { channelId: fullHash, baseAmount: maxUint128, tickAmount: maxUint128, maxTicks: 2 },
  ].map(async (terms, at) => {
    const seed = some(`tick seed ${at}`)
    const links = [seed]
    for (let link = seed; links.length <= terms.maxTicks; links.push(link)) {
      const words = [link, terms.channelId, numberToHex(terms.baseAmount, { size: 32 })]
      link = keccak256(concatHex(words))
    }
    const preimages = links.reverse()
    const root = preimages[0] ?? zeroHash
    const message = { ...terms, to: pad(lower(creator.address)), root }
    const sealed = await signed(payerAuthorizer, {
      domain: channelsDomain,
      primaryType: 'TickCommitment',
      message,
    })
    return { ...sealed, seed, preimages: preimages.slice(0, 34), last: preimages.at(-1) }
  }),
)

export const refunds = await Promise.all(
  [
    { channelId: first, nonce: 0n, amount: 1n },
    { channelId: second, nonce: 7n, amount: 4_950_000n },
    { channelId: fullHash, nonce: maxUint256, amount: maxUint128 },
  ].map((message) =>
    signed(receiverAuthorizer, { domain: channelsDomain, primaryType: 'Refund', message }),
  ),
)

const { channelId: last = zeroHash } = channels.at(-1) ?? {}
const entry = { channelId: first, maxClaimableAmount: 50_000n, totalClaimed: 40_000n }
const batches = [
  [],
  [entry],
  [
    entry,
    { channelId: second, maxClaimableAmount: 1n, totalClaimed: 0n },
    { channelId: last, maxClaimableAmount: maxUint128, totalClaimed: maxUint128 },
  ],
]
export const claimBatches = await Promise.all(
  batches.map((claims) =>
    signed(receiverAuthorizer, {
      domain: channelsDomain,
      primaryType: 'ClaimBatch',
      message: { claims },
    }),
  ),
)

// What the contract takes as they are, once every channel holds at least its `maxClaimableAmount`.
export const packedClaims = await Promise.all([
  packedClaim([]),
  packedClaim([{ at: 0, max: 50_000n, claim: 50_000n, tips: [] }]),
  packedClaim([
    { at: 0, max: 60_000n, claim: 55_000n, tips: [tip(3, 5_000n)] },
    { at: 1, max: 50_000n, claim: 1n, tips: [] },
    { at: 2, max: 2n ** 100n, claim: 2n ** 99n, tips: [tip(4, 1n), tip(5, 2n), tip(6, 3n)] },
  ]),
])

export const claimedEntries = [
  [],
  [{ channelId: first, totalClaimed: 0n }],
  [
    { channelId: first, totalClaimed: 55_000n },
    { channelId: zeroHash, totalClaimed: 1n },
    { channelId: fullHash, totalClaimed: maxUint128 },
  ],
].map((list) => ({ list, entries: packEntries(list) }))

export const depositNonces = [
  { channelId: first, salt: 0n },
  { channelId: second, salt: 1n },
  { channelId: fullHash, salt: maxUint256 },
].map(({ channelId, salt }) => ({
  channelId,
  salt,
  nonce: keccak256(
    encodeAbiParameters([{ type: 'bytes32' }, { type: 'uint256' }], [channelId, salt]),
  ),
}))

export const messageRefs = ['great song', '좋은 노래 🎵', 'x'.repeat(280)].map((text, at) => {
  const salt = some(`message ${at}`)
  return { salt, text, ref: keccak256(encodePacked(['bytes32', 'string'], [salt, text])) }
})

function tip(at: number, amount: bigint) {
  const to = at % 2 === 0 ? pad(lower(creator.address)) : some(`creator ${at}`)
  return { to, amount, ref: some(`ref ${at}`) }
}

function hashOfTips(tips: readonly ReturnType<typeof tip>[]): Hex {
  return keccak256(concatHex(tips.map((data) => hashStruct({ types, primaryType: 'Tip', data }))))
}

async function packedClaim(
  rows: readonly { at: number; max: bigint; claim: bigint; tips: ReturnType<typeof tip>[] }[],
) {
  const claims = await Promise.all(
    rows.map(async ({ at, max, claim, tips }) => {
      const { config = hubConfig, channelId = zeroHash } = channels[at] ?? {}
      const signer = config.payerAuthorizer === hubConfig.payerAuthorizer ? payerAuthorizer : payer
      const message = { channelId, maxClaimableAmount: max, ...(tips.length > 0 && { tips }) }
      const primaryType = tips.length > 0 ? 'TipVoucher' : 'Voucher'
      const { signature } = await signed(signer, {
        domain: channelsDomain,
        primaryType: primaryType,
        message,
      })
      const tipsHash = tips.length > 0 ? hashOfTips(tips) : zeroHash
      return {
        channelId,
        payer: config.payer,
        payerAuthorizer: config.payerAuthorizer,
        maxClaimableAmount: max,
        claim,
        salt: config.salt,
        tipsHash,
        signature,
      }
    }),
  )
  const packed = claims.map((row) =>
    encodePacked(
      ['address', 'address', 'uint128', 'uint128', 'bytes32', 'bytes32', 'bytes'],
      [
        row.payer,
        row.payerAuthorizer,
        row.maxClaimableAmount,
        row.claim,
        row.salt,
        row.tipsHash,
        serializeCompactSignature(signatureToCompactSignature(parseSignature(row.signature))),
      ],
    ),
  )
  const { receiver, withdrawDelay } = hubConfig
  return {
    receiver,
    receiverAuthorizer: hubConfig.receiverAuthorizer,
    token,
    withdrawDelay,
    claims,
    rows: concatHex(packed),
    entries: packEntries(
      claims.map(({ channelId, claim }) => ({ channelId, totalClaimed: claim })),
    ),
  }
}

function packEntries(list: readonly { channelId: Hex; totalClaimed: bigint }[]): Hex {
  return concatHex(
    list.map(({ channelId, totalClaimed }) =>
      encodePacked(['bytes32', 'uint128'], [channelId, totalClaimed]),
    ),
  )
}
