// Poison among the vouchers: among a hundred channels some show what the contract will not take. The good ones are claimed to the
// unit, the bad ones are told by name and left out, and the books stay equal to the chain.

import type { Address, Hex } from 'viem'
import { toHex } from 'viem'
import { hardhat } from 'viem/chains'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import type { Claims } from '#server/chain/claims.ts'
import { createClaims } from '#server/chain/claims.ts'
import { createTransactions } from '#server/chain/transactions.ts'
import type { Channel } from '#server/channels/channel.ts'
import { claimProof } from '#server/channels/claim-proof.ts'
import { createSignatureBackend } from '#server/channels/signature-backend.ts'
import type { Database } from '#server/store/table.ts'
import type { Books } from '#server/testing/books.ts'
import { feeAccount, openBooks } from '#server/testing/books.ts'
import type { ChainFixture, FundedChannel } from '#server/testing/chain.ts'
import { fundChannel, onChannels, openChain } from '#server/testing/chain.ts'
import { openDisk } from '#server/testing/disk.ts'
import { commitTo } from '#server/testing/ticks.ts'
import type { ChainKind } from '../../world/chains.ts'
import type { Random } from '../random.ts'
import { createRandom } from '../random.ts'
import type { ChainFindings } from './sending.ts'

export type PoisonEffort = { chainKind: ChainKind; seed: number; channels: number }

type Ground = { chain: ChainFixture; books: Books; creator: Address; random: Random }

const deposit = 1_000n
const backend = createSignatureBackend()
/** Every so many channels one has ticks for a proof. */
const ticksEvery = 7

/** What makes a channel's proof, or the channel, unfit for a claim. */
const poisons: readonly ((ground: Ground, channel: FundedChannel) => Promise<void>)[] = [
  async ({ books, random }, { id }) => {
    const channel = books.channels.get(id)
    if (!channel.proof) return
    const signature = flipped(channel.proof.signature, random)
    books.channels.update({ ...channel, proof: { ...channel.proof, signature } })
  },
  async ({ books }, { id }) => {
    const channel = books.channels.get(id)
    if (channel.proof?.kind === 'ticks') {
      const preimage: Hex = `0x${'07'.repeat(32)}`
      books.channels.update({ ...channel, proof: { ...channel.proof, preimage } })
    } else if (channel.proof) {
      const maxClaimableAmount = channel.totalClaimed
      books.channels.update({ ...channel, proof: { ...channel.proof, maxClaimableAmount } })
    }
  },
  /** The payer took everything back, which the books do not know yet. */
  async ({ chain }, channel) => {
    const { payer, contract, config } = channel
    const call = { contract, args: [config, deposit] }
    await onChannels(chain, payer, { ...call, functionName: 'initiateWithdraw' })
    await chain.node.increaseTime({ seconds: config.withdrawDelay + 1 })
    await onChannels(chain, payer, { contract, functionName: 'finalizeWithdraw', args: [config] })
  },
]

export async function torturePoison({
  chainKind,
  seed,
  channels,
}: PoisonEffort): Promise<ChainFindings> {
  const random = createRandom(seed)
  const chain = await openChain(chainKind)
  const { chainId, hubAccount, channels: contract } = chain.deployment
  const disk = await openDisk({ chainId, hubAccount, channels: contract })
  const books = await openBooks(chain, disk.db)
  try {
    const { account: creator } = await books.newCreator()
    const ground = { chain, books, creator, random }
    const all = await charge(ground, channels)
    const bad = new Set<Hex>()
    const wanted = 1 + random.below(Math.ceil(channels / 2))
    while (bad.size < wanted) {
      const channel = random.pick(all)
      if (bad.has(channel.id)) continue
      await random.pick(poisons)(ground, channel)
      bad.add(channel.id)
    }
    const claims = startClaims(ground, disk.db)
    const failures = await faultsOf(ground, { all, bad, claims })
    return { operations: channels, faults: bad.size, failures }
  } finally {
    await books.checks.stop()
    await disk.remove()
    await chain.stop()
  }
}

/** Channels with something to claim, some of them by ticks. */
async function charge({ chain, books, creator, random }: Ground, count: number) {
  const all: FundedChannel[] = []
  while (all.length < count) all.push(await fundChannel(chain, { deposit }))
  await books.follower.tick()
  for (const [index, channel] of all.entries()) {
    if (index % ticksEvery === ticksEvery - 1) await tick(books, channel, creator)
    else await books.tip(channel, { to: creator, amount: 1n + BigInt(random.below(100)) })
  }
  return all
}

async function tick(books: Books, channel: FundedChannel, creator: Address) {
  const { commitment, signature, paying } = await commitTo(channel, { to: creator, baseAmount: 0n })
  const { number } = await books.streams.open({ commitment, signature, session: 's' })
  await books.streams.reveal(number, 's', paying(3))
  await books.streams.end(number)
}

function startClaims({ chain, books }: Ground, db: Database): Claims {
  const { client, deployment, operator } = chain
  const { log, follower } = books
  const separatorOf = (address: Address) =>
    channelsDomainSeparator({ chainId: hardhat.id, address })
  /** Of every other channel only the contract sees that the signature is bad. */
  const proofOf = (channel: Channel) =>
    BigInt(channel.id) % 2n === 0n ? channel.proof : claimProof(channel, { backend, separatorOf })
  return createClaims({
    ...books,
    db,
    chain: client,
    deployment,
    proofOf,
    transactions: createTransactions({
      db,
      log,
      chain: client,
      account: operator,
      chainId: hardhat.id,
    }),
    follower,
    feeAccount,
    policy: {
      amountAtRisk: 1n,
      maxAgeMs: 0,
      gasShare: 0n,
      ether: 0n,
      creditAt: 0n,
      creditMaxAgeMs: 0,
      creditMinimum: 1n,
    },
    limits: { gasPerTransaction: 7_000_000n, budgetPerGas: 10n ** 12n },
    mayCredit: () => true,
    now: Date.now,
    background: (_name, work) => void work(),
  })
}

async function faultsOf(
  { books, chain }: Ground,
  { all, bad, claims }: { all: readonly FundedChannel[]; bad: ReadonlySet<Hex>; claims: Claims },
): Promise<string[]> {
  const good = all.filter(({ id }) => !bad.has(id))
  const owed = good.reduce((sum, { id }) => sum + books.channels.get(id).charged, 0n)
  const { settlements, setAside } = await following(books, claims.settle())
  const claimed = settlements.reduce((sum, settlement) => sum + settlement.claimed, 0n)
  const left = good.filter(({ id }) => {
    const { charged, totalClaimed } = books.channels.get(id)
    return charged !== totalClaimed
  })
  const untold = [...bad].filter((id) => {
    const isTold = setAside.some(({ channelId }) => channelId === id)
    return !isTold && books.channels.get(id).balance > 0n
  })
  const failed = settlements.filter(({ state }) => state !== 'done').length
  console.log(
    `  ${all.length} channels, ${bad.size} of them poison: ${good.length - left.length} good ones claimed in ${settlements.length} transactions, ${setAside.length} set aside`,
  )
  const nonces = await chain.node.getTransactionCount({
    address: chain.operator.address,
    blockTag: 'pending',
  })
  const { verdict } = await books.reserves.check()
  return [
    ...(verdict === 'equal' ? [] : [`the reserves are ${verdict}`]),
    ...(left.length > 0 ? [`${left.length} good channels were not claimed`] : []),
    ...(claimed === owed ? [] : [`${claimed} was claimed of ${owed}`]),
    ...(untold.length > 0 ? [`${untold.length} bad channels were not told`] : []),
    ...(failed > 0 ? [`${failed} settlements failed`] : []),
    ...(nonces === settlements.length ? [] : [`${nonces} nonces for ${settlements.length}`]),
  ]
}

/** Does work, with the books following the chain until it is done. */
async function following<T>(books: Books, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = work.finally(() => {
    isDone = true
  })
  const followed = (async () => {
    while (!isDone) await books.follower.tick()
  })()
  await Promise.allSettled([done, followed])
  await followed
  return done
}

/** A signature with one bit of its s changed. */
function flipped(signature: Hex, random: Random): Hex {
  const bytes = Buffer.from(signature.slice(2), 'hex')
  const at = 40 + random.below(20)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
  return toHex(bytes)
}
