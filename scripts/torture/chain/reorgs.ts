// Reorgs of depth 1 to 12 at each step of a channel's life: the chain goes back, goes another way with all, some or none of the same
// transactions, and the books must say what it says. Tips that were acknowledged stay, whatever becomes of the deposit.

import type { Hex, PrivateKeyAccount } from 'viem'
import { BaseError, maxUint256 } from 'viem'
import { paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import { smaller } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'
import { isEndpointTrouble } from '#server/chain/endpoints.ts'
import { feeAccount, openBooks } from '#server/testing/books.ts'
import type { ChainFixture, FundedChannel } from '#server/testing/chain.ts'
import { mineOtherwise } from '#server/testing/chain.ts'
import { openDisk } from '#server/testing/disk.ts'
import { createRandom } from '../random.ts'
import { endpointsOf, setFaults, startProxies } from './proxies.ts'
import type { Scene, StepName } from './steps.ts'
import { deposit, stepNames, steps } from './steps.ts'
import type { Tally } from './truth.ts'
import { compareWithChain, readerOf } from './truth.ts'

const deepest = 12
/** In so many of a thousand requests; and how many looks may bring nothing. */
const faultRate = 40
const longestStall = 300
/** Every step at every depth. */
export const allReorgs = stepNames.length * deepest

/** Plays `reorgs` reorgs on one set of books, from the `first` of all that there are on. */
export async function playReorgs(
  chain: ChainFixture,
  { seed, first, reorgs, tally }: { seed: number; first: number; reorgs: number; tally: Tally },
) {
  const random = createRandom(seed * 1_000 + first)
  const snapshot = await chain.node.snapshot()
  // Half of them through endpoints that lie.
  const proxies = random.once(2) ? await startProxies(chain, { seed, count: 2 }) : []
  const scene = await openScene({ chain, random, tally, proxies })
  try {
    await setFaults(proxies, faultRate)
    for (let index = 0; index < reorgs; index += 1) {
      // 7 has no divisor in common with the number of all: few are spread, and all are reached.
      const place = ((seed + first + index) * 7) % allReorgs
      const step = stepNames[place % stepNames.length] ?? 'deposit'
      const depth = 1 + Math.floor(place / stepNames.length)
      const before = tally.failures.length
      await playReorg(scene, { step, depth })
      tally.failures.splice(
        before,
        tally.failures.length - before,
        ...tally.failures.slice(before).map((text) => `${step}, depth ${depth}: ${text}`),
      )
      if (tally.failures.length > 0) return
    }
  } finally {
    for (const proxy of proxies) await proxy.stop()
    await scene.books.checks.stop()
    await scene.disk.remove()
    await chain.node.revert({ id: snapshot })
  }
}

async function openScene(
  given: Pick<Scene, 'chain' | 'random' | 'tally' | 'proxies'>,
): Promise<Scene> {
  const { chain, random, proxies } = given
  const { deployment, token } = chain
  const { chainId, hubAccount, channels: contract } = deployment
  const disk = await openDisk({ chainId, hubAccount, channels: contract })
  const confirmations = random.pick([0, 0, 1, 3])
  const depositDepths = [{ token, from: 50_000n, confirmations: confirmations + 3 }]
  const policy = { confirmations, depositDepths, reorgLimit: 3 * deepest }
  const settings =
    proxies.length > 0 ? { ...policy, endpoints: endpointsOf(chain, proxies) } : policy
  const books = await openBooks(chain, disk.db, settings)
  const payers: PrivateKeyAccount[] = []
  for (let index = 0; index < 3; index += 1) {
    const payer = await chain.party({ tokens: 10n ** 12n })
    payers.push(payer)
    const args = [contract, maxUint256]
    await chain.transact(payer, {
      address: token,
      abi: testTokenAbi,
      functionName: 'approve',
      args,
    })
  }
  return {
    ...given,
    disk,
    books,
    settings,
    payers,
    creators: [await books.newCreator(), await books.newCreator()],
    stranger: await chain.party({ tokens: 10n ** 9n }),
    channels: [],
    tipped: new Map(),
    sent: [],
  }
}

async function playReorg(scene: Scene, { step, depth }: { step: StepName; depth: number }) {
  const { chain, random, tally } = scene
  await prepare(scene, step)
  const mark = await chain.node.snapshot()
  const start = await chain.node.getBlockNumber({ cacheTime: 0 })
  scene.sent = []
  await steps[step](scene)
  tally.operations += 1
  await lengthen(scene, start + BigInt(depth))
  await catchUp(scene)
  await tipSome(scene)
  if (random.once(3)) await restart(scene)

  await chain.node.revert({ id: mark })
  tally.faults += 1
  await goAnotherWay(scene, start + BigInt(depth))
  await catchUp(scene)
  await tipSome(scene)
  if (random.once(3)) await restart(scene)
}

/** Brings the chain to where a step can be done, with blocks on top that no reorg takes. */
async function prepare(scene: Scene, step: StepName) {
  const { random, chain } = scene
  if (step === 'deposit') return
  await deposit(scene, random.between(60_000n, 90_000n))
  await mineOtherwise(chain, 8)
  await catchUp(scene)
  await tipSome(scene)
  if (step === 'settle' || step === 'credit') await steps.claim(scene)
  if (step === 'credit') await steps.settle(scene)
  if (step === 'pay') await steps['claim, settle and credit'](scene)
  if (step === 'finish a withdrawal') {
    await steps.withdraw(scene)
    await chain.node.increaseTime({ seconds: 86_401 })
    await chain.node.mine({ blocks: 1 })
  }
  await mineOtherwise(chain, 4)
  await catchUp(scene)
}

async function lengthen(scene: Scene, to: bigint) {
  const { chain, random, tally } = scene
  while ((await chain.node.getBlockNumber({ cacheTime: 0 })) < to) {
    await chain.node.mine({ blocks: 1 })
    if (!random.once(3)) continue
    await look(scene)
    tally.operations += 1
  }
}

/** One look, as the hub's loop has it, and whether it came to its end: an endpoint that lies may spoil it. */
async function look({ books, proxies }: Scene): Promise<boolean> {
  try {
    await books.follower.tick()
    return true
  } catch (cause) {
    if (proxies.length === 0 || !isEndpointTrouble(cause)) throw cause
    return false
  }
}

/** Looks until the books are where the chain is. */
async function lookUntilThere(scene: Scene) {
  const { chain, books, settings, proxies, tally } = scene
  const head = await chain.node.getBlockNumber({ cacheTime: 0 })
  const at = head - BigInt(settings.confirmations ?? 0)
  const { hash } = await chain.node.getBlock({ blockNumber: at })
  for (let looks = proxies.length === 0 ? 1 : longestStall; looks > 0; looks -= 1) {
    // A look that was spoilt after the books came there has not seen yet what is on its way out.
    const isWhole = await look(scene)
    const isThere = books.follower.cursor() === at && books.follower.hashOf(at) === hash
    if (isWhole && isThere && books.follower.target() === head) return
  }
  tally.failures.push(`the books are at ${books.follower.cursor()} and should be at ${at}`)
}

/** The same transactions, some or none of them, among other blocks; now and then shorter at first than what was there. */
async function goAnotherWay(scene: Scene, atLeast: bigint) {
  const { chain, random, sent } = scene
  await mineOtherwise(chain, 1)
  const count = random.pick([0, random.below(sent.length + 1), sent.length])
  for (const serializedTransaction of sent.slice(0, count)) {
    await sendAgain(chain, serializedTransaction)
    if (random.once(2)) await mineOtherwise(chain, 1)
    if (random.once(4)) await look(scene)
  }
  while ((await chain.node.getBlockNumber({ cacheTime: 0 })) <= atLeast)
    await mineOtherwise(chain, 1)
}

/** Resolves when it is mined; on this branch it may be refused, because what it needs may not have happened. */
async function sendAgain({ node }: ChainFixture, serializedTransaction: Hex) {
  try {
    const hash = await node.sendRawTransaction({ serializedTransaction })
    await node.waitForTransactionReceipt({ hash })
  } catch (cause) {
    if (!(cause instanceof BaseError)) throw cause
  }
}

async function catchUp(scene: Scene) {
  const { chain, books, disk, tipped, creators, tally } = scene
  await lookUntilThere(scene)
  tally.operations += 1
  const accounts = [...creators.map(({ account }) => account), feeAccount]
  await compareWithChain({ chain, books, db: disk.db, tipped, accounts }, tally)
  await assertOutEarly(scene)
}

/** No channel gives more credit than its escrow at the head less what is on its way out. */
async function assertOutEarly({ chain, books, tally }: Scene) {
  const reader = readerOf(chain.rpcUrl)
  const checks = [...books.channels.all()].map(async (channel) => {
    const call = { address: channel.contract, abi: paymentChannelsAbi, args: [channel.id] } as const
    const [[balance], [pending]] = await Promise.all([
      reader.readContract({ ...call, functionName: 'channels' }),
      reader.readContract({ ...call, functionName: 'pendingWithdrawals' }),
    ])
    const { escrowCap } = books.channels.amounts(channel)
    const left = balance > pending ? balance - pending : 0n
    if (escrowCap > left)
      tally.failures.push(`channel ${channel.id} gives credit up to ${escrowCap} of ${left}`)
  })
  await Promise.all(checks)
}

/** Tips that fit are accepted; one on an over-charged channel is not. */
async function tipSome(scene: Scene) {
  for (const channel of scene.channels.slice(-3)) {
    const known = scene.books.channels.find(channel.id)
    if (!known) continue
    const { available, escrowCap } = scene.books.channels.amounts(known)
    scene.tally.operations += 1
    if (known.charged > escrowCap) await tipInVain(scene, channel)
    else if (available > 0n)
      await tip(scene, channel, scene.random.between(1n, smaller(available, 3_000n)))
  }
}

async function tip(
  { books, random, creators, tipped }: Scene,
  channel: FundedChannel,
  amount: bigint,
) {
  await books.tip(channel, { to: random.pick(creators).account, amount })
  tipped.set(channel.id, (tipped.get(channel.id) ?? 0n) + amount)
}

async function tipInVain({ books, creators: [creator], tally }: Scene, channel: FundedChannel) {
  if (!creator) throw new Error('nobody to tip')
  if (!(await isExceeded(books.tip(channel, { to: creator.account, amount: 1n }))))
    tally.failures.push(`over-charged channel ${channel.id} took a tip`)
}

async function isExceeded(tip: Promise<unknown>): Promise<boolean> {
  return tip.then(
    () => false,
    (cause: unknown) => {
      if (cause instanceof HubError && cause.code === 'deposit_exceeded') return true
      throw cause
    },
  )
}

async function restart(scene: Scene) {
  await scene.books.checks.stop()
  const db = await scene.disk.reopen()
  scene.books = await openBooks(scene.chain, db, scene.settings)
  scene.tally.operations += 1
}
