// One voucher and one commitment to ticks, signed in every wrong way and some right ones: contract, SDK and hub must take the
// same signatures.

import type { Hex } from 'viem'
import { concatHex, encodeFunctionData, hexToBigInt, keccak256, numberToHex, sliceHex } from 'viem'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import { type ChannelConfig, channelId, channelsDomainSeparator } from '#protocol/channel.ts'
import { packClaims } from '#protocol/packed-claim.ts'
import { recoverSigner } from '#protocol/signature.ts'
import { tickCommitmentDigest } from '#protocol/tick.ts'
import { voucherDigest } from '#protocol/voucher.ts'
import { createSignatureBackend } from '../../server/channels/signature-backend.ts'
import { type Bytecodes, type Chain, createChain } from './chain.ts'
import { encodeCall } from './encode.ts'
import { createRandom, type Random } from './random.ts'

/** How often each sort of signature of each message was taken and refused, and those on which the three do not agree. */
export type Verdicts = {
  cases: number
  taken: Record<string, number>
  refused: Record<string, number>
  disagreements: string[]
}

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const zero = numberToHex(0, { size: 32 })
const none: Hex = `0x${'00'.repeat(32)}`

/** What is signed, for the channel's claimed total to become `max` at most. */
const messages = {
  voucher: ({ id, max, separator }: Message) =>
    voucherDigest({ channelId: id, maxClaimableAmount: max }, separator),
  /** Without any tick, a commitment is worth its base. */
  commitment: ({ id, max, separator }: Message) =>
    tickCommitmentDigest({ channelId: id, ...termsOf(max) }, separator),
} as const

type Message = { id: Hex; max: bigint; separator: Hex }

/** Tries `cases` signatures of vouchers and commitments on one channel. */
export async function judgeSignatures(
  { seed, cases }: { seed: number; cases: number },
  bytecodes: Bytecodes = {},
): Promise<Verdicts> {
  const chain = await createChain(bytecodes)
  const bench = await openBench(chain)
  const backend = createSignatureBackend()
  const random = createRandom(seed)
  const verdicts: Verdicts = { cases, taken: {}, refused: {}, disagreements: [] }
  for (let index = 0; index < cases; index += 1) {
    const max = random.between(1n, 1_000n)
    const kind = random.pick(['voucher', 'commitment'] as const)
    const digestOf = (change: Partial<Message>) =>
      messages[kind]({ id: bench.id, max, separator: bench.separator, ...change })
    const { sort, signature } = drawSignature(random, bench, { max, digestOf })
    const digest = digestOf({})
    const isVoucher = kind === 'voucher'
    const claim = await (isVoucher ? isClaimable : isTickClaimable)(bench, signature, max)
    const answers = {
      claim,
      sdk: (await recoverSigner(digest, signature)) === bench.config.payerAuthorizer,
      hub: backend.recover(digest, signature) === bench.config.payerAuthorizer,
      packed: isVoucher ? await isPackedClaimable(bench, signature, max) : undefined,
    }
    const list = claim ? verdicts.taken : verdicts.refused
    const name = `${kind}, ${sort}`
    list[name] = (list[name] ?? 0) + 1
    const { packed = claim } = answers
    if (answers.sdk === claim && answers.hub === claim && packed === claim) continue
    verdicts.disagreements.push(`${name} ${signature} for ${max}: ${JSON.stringify(answers)}`)
  }
  return verdicts
}

/** A channel with a balance, whose vouchers `sign` signs. */
type Bench = {
  chain: Chain
  config: ChannelConfig
  id: Hex
  separator: Hex
  foreign: Hex[]
  sign: (digest: Hex) => Hex
  signAsStranger: (digest: Hex) => Hex
}

async function openBench(chain: Chain): Promise<Bench> {
  const { setting, cast, encoder } = chain
  const config = cast.configs.find(({ receiver }) => receiver === cast.merchant)
  if (!config) throw new Error('the merchant has no channel')
  const call = encodeCall(encoder, { kind: 'depositDirect', config, amount: 1_000n })
  await chain.send({ from: config.payer, ...call }, chain.start + 1n)
  const { channels: separator, vault } = setting.separators
  return {
    chain,
    config,
    id: channelId(config, separator),
    separator,
    foreign: [
      vault,
      channelsDomainSeparator({ chainId: 1, address: setting.channels }),
      channelsDomainSeparator({ chainId: 31_337, address: setting.vault }),
    ],
    sign: (digest) => encoder.sign(config.payerAuthorizer, digest),
    signAsStranger: (digest) => encoder.sign(cast.stranger, digest),
  }
}

/** Ways to sign, or not to: from what is right to what is wrong. */
const sorts: Readonly<Record<string, (random: Random, parts: Parts, bench: Bench) => Hex>> = {
  good: (_, { whole }) => whole,
  'other maximum': (_, { max, digestOf }, { sign }) => sign(digestOf({ max: max + 1n })),
  'other channel': (_, { digestOf }, { id, sign }) => sign(digestOf({ id: keccak256(id) })),
  'other domain': (random, { digestOf }, { foreign, sign }) =>
    sign(digestOf({ separator: random.pick(foreign) })),
  stranger: (_, { digest }, { signAsStranger }) => signAsStranger(digest),
  'high s': (_, { r, s, v }) => join({ r, s: word(order - hexToBigInt(s)), v: 55 - v }),
  'high s, same v': (_, { r, s, v }) => join({ r, s: word(order - hexToBigInt(s)), v }),
  'other v': (_, { r, s, v }) => join({ r, s, v: 55 - v }),
  'v of 0 or 1': (_, { r, s, v }) => join({ r, s, v: v - 27 }),
  'any v': (random, { r, s }) => join({ r, s, v: random.below(256) }),
  'zero r': (_, { s, v }) => join({ r: zero, s, v }),
  'zero s': (_, { r, v }) => join({ r, s: zero, v }),
  'r above the order': (random, { s, v }) =>
    join({ r: word(order + random.between(0n, 9n)), s, v }),
  's above the order': (random, { r, v }) =>
    join({ r, s: word(order + random.between(0n, 9n)), v }),
  'half order': (random, { r, v }) => join({ r, s: word(order / 2n + random.between(0n, 2n)), v }),
  truncated: (random, { whole }) => `0x${whole.slice(2, 2 + 2 * random.below(65))}`,
  'too long': (random, { whole }) =>
    concatHex([whole, numberToHex(random.below(256), { size: 1 })]),
  compact: (_, { r, s, v }) => concatHex([r, word(hexToBigInt(s) + (BigInt(v - 27) << 255n))]),
  'one bit changed': (random, { whole }) => {
    const flipped = hexToBigInt(whole) ^ (1n << random.between(0n, 519n))
    return numberToHex(flipped, { size: 65 })
  },
  noise: (random) =>
    concatHex([...Array(65)].map(() => numberToHex(random.below(256), { size: 1 }))),
}

/** A good signature and its parts. */
type Parts = Signed & { whole: Hex; r: Hex; s: Hex; v: number; digest: Hex }

/** What is signed, and what is signed instead when something in it is another. */
type Signed = { max: bigint; digestOf: (change: Partial<Message>) => Hex }

function drawSignature(
  random: Random,
  bench: Bench,
  signed: Signed,
): { sort: string; signature: Hex } {
  const [sort, distort] = random.pick(Object.entries(sorts))
  const digest = signed.digestOf({})
  const whole = bench.sign(digest)
  const r = sliceHex(whole, 0, 32)
  const s = sliceHex(whole, 32, 64)
  const v = Number(sliceHex(whole, 64))
  return { sort, signature: distort(random, { ...signed, whole, r, s, v, digest }, bench) }
}

async function isClaimable(
  { chain, config }: Bench,
  signature: Hex,
  max: bigint,
): Promise<boolean> {
  const row = { voucher: { channel: config, maxClaimableAmount: max }, signature, totalClaimed: 1n }
  const data = encodeFunctionData({ abi: paymentChannelsAbi, functionName: 'claim', args: [[row]] })
  const returned = await chain.attempt({ from: config.receiver, to: chain.setting.channels, data })
  return returned !== undefined
}

async function isTickClaimable(
  { chain, config }: Bench,
  signature: Hex,
  max: bigint,
): Promise<boolean> {
  const terms = termsOf(max)
  const claim = {
    channel: config,
    terms,
    signature,
    preimage: terms.root,
    ticks: 0,
    totalClaimed: 1n,
  }
  const data = encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'claimTicks',
    args: [claim],
  })
  const returned = await chain.attempt({ from: config.receiver, to: chain.setting.channels, data })
  return returned !== undefined
}

/** A stream of no tick. */
function termsOf(baseAmount: bigint) {
  return { to: none, baseAmount, tickAmount: 0n, maxTicks: 0, root: none }
}

/** Whether a packed claim takes it; nothing when its row cannot even say it: v is one bit there and s has 255. */
async function isPackedClaimable(
  { chain, config }: Bench,
  signature: Hex,
  max: bigint,
): Promise<boolean | undefined> {
  if (!/^0x.{64}[0-7].{63}1[bc]$/.test(signature)) return undefined
  const { payer, payerAuthorizer, salt, receiver, receiverAuthorizer, token, withdrawDelay } =
    config
  const fields = { payer, payerAuthorizer, maxClaimableAmount: max, claim: 1n, salt }
  const rows = packClaims([{ ...fields, tipsHash: none, signature: placeholder }])
  const [r, s, v] = [
    sliceHex(signature, 0, 32),
    sliceHex(signature, 32, 64),
    sliceHex(signature, 64),
  ]
  const vs = word(hexToBigInt(s) + (BigInt(Number(v) - 27) << 255n))
  const data = encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'claimPacked',
    args: [
      receiver,
      receiverAuthorizer,
      token,
      withdrawDelay,
      concatHex([sliceHex(rows, 0, 136), r, vs]),
    ],
  })
  const claimed = await chain.attempt({ from: receiver, to: chain.setting.channels, data })
  return claimed !== undefined && hexToBigInt(claimed) === 1n
}

const placeholder = join({ r: word(1n), s: word(1n), v: 27 })

function join({ r, s, v }: { r: Hex; s: Hex; v: number }): Hex {
  return concatHex([r, s, numberToHex(v, { size: 1 })])
}

function word(value: bigint): Hex {
  return numberToHex(value, { size: 32 })
}
