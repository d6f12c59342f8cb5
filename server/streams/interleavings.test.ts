// Tips, ticks, ends and crashes in random order on real books, against a model that is a few numbers per channel.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Address } from 'viem'
import { HubError } from '#protocol/errors.ts'
import { holds } from '#protocol/testing/arbitrary.ts'
import type { Books } from '../testing/books.ts'
import { openBooks } from '../testing/books.ts'
import type { ChainFixture, FundedChannel } from '../testing/chain.ts'
import { openChain, signTip } from '../testing/chain.ts'
import type { Disk } from '../testing/disk.ts'
import { openDisk, settleTurns, withDoor } from '../testing/disk.ts'
import type { Committed } from '../testing/ticks.ts'
import { bookChannel, commitTo, signEnd } from '../testing/ticks.ts'

const kinds = [
  ...(['open', 'open', 'reveal', 'reveal', 'reveal', 'reveal', 'tip', 'junk'] as const),
  ...(['payer ends', 'hub ends', 'late end', 'race', 'restart', 'crash'] as const),
]
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(...kinds),
    at: fc.nat(1),
    count: fc.integer({ min: 1, max: 5 }),
    slack: fc.integer({ min: -2, max: 12 }),
  }),
  { minLength: 10, maxLength: 40, size: 'max' },
)

type Step = { count: number; slack: number }
type ModelStream = Committed & { number: number; ticks: number }
type Model = {
  channel: FundedChannel
  charged: bigint
  ceiling: bigint
  stream: ModelStream | undefined
  ended: { stream: ModelStream; basketId: string | undefined }[]
}

const balance = 400n
const tickAmount = 3n
const maxTicks = 20
const session = 's'

describe('streams beside tips, ends and crashes', function () {
  this.timeout(300_000)
  let chain: ChainFixture
  let disk: Disk
  let books: Books
  let creator: Address
  const broken = { now: false }

  before(async () => {
    chain = await openChain()
    const { chainId, hubAccount, channels } = chain.deployment
    disk = await openDisk({ chainId, hubAccount, channels })
    books = await open()
    creator = (await books.newCreator()).account
  })
  after(async () => {
    await books?.checks.stop()
    await disk?.remove()
    await chain?.stop()
  })

  function open() {
    const db = withDoor(disk.db, async (write) => {
      if (broken.now) throw new Error('the disk is gone')
      await write()
    })
    return openBooks(chain, db)
  }

  async function restart() {
    await books.checks.stop()
    await disk.reopen()
    broken.now = false
    books = await open()
  }

  const amounts = ({ channel }: Model) => books.channels.amounts(books.channels.get(channel.id))
  const larger = (a: bigint, b: bigint) => (a > b ? a : b)
  const ticked = ({ ticks }: { ticks: number }) => tickAmount * BigInt(ticks)
  const worth = (stream: ModelStream) => stream.commitment.baseAmount + ticked(stream)
  const heldOf = ({ stream }: Model) => (stream ? ticked(stream) : 0n)

  /** Whether a promise was kept; anything but a refusal is a bug. */
  async function isTaken(promise: Promise<unknown>): Promise<boolean> {
    try {
      await promise
      return true
    } catch (cause) {
      assert.ok(cause instanceof HubError && cause.code !== 'internal_error', String(cause))
      return false
    }
  }

  function covers(model: Model, added: bigint, offered: bigint): boolean {
    const needed = model.charged + heldOf(model) + added
    return needed <= balance && needed <= larger(model.ceiling, offered)
  }

  function end(model: Model, by: bigint, basketId?: string) {
    const { stream } = model
    assert.ok(stream)
    model.charged += ticked(stream)
    if (stream.ticks > 0) model.ceiling = larger(model.ceiling, by)
    model.ended.push({ stream, basketId })
    model.stream = undefined
  }

  async function openStream(model: Model, { slack }: Step) {
    const baseAmount = larger(0n, model.charged + heldOf(model) + BigInt(slack))
    const terms = { to: creator, baseAmount, tickAmount, maxTicks }
    const committed = await commitTo(model.channel, terms)
    const { commitment, signature } = committed
    const opened = books.streams.open({ commitment, signature, session })
    const fits = baseAmount >= model.charged && baseAmount <= balance
    const isExpected = !model.stream && fits
    assert.equal(await isTaken(opened), isExpected)
    if (!isExpected) return
    model.stream = { ...committed, number: (await opened).number, ticks: 0 }
  }

  function reveal({ number, paying }: ModelStream, ticks: number) {
    return books.streams.reveal(number, session, paying(ticks))
  }

  async function tick(model: Model, { count }: Step) {
    const { stream } = model
    if (!stream || stream.ticks + count > maxTicks) return
    const next = { ...stream, ticks: stream.ticks + count }
    const isExpected = covers(model, tickAmount * BigInt(count), worth(next))
    assert.equal(await isTaken(reveal(stream, next.ticks)), isExpected)
    if (isExpected) model.stream = next
  }

  async function junk(model: Model) {
    const { stream } = model
    if (!stream || stream.ticks === maxTicks) return
    const ticks = stream.ticks + 1
    const paid = { ticks, preimage: new Uint8Array(32) }
    assert.equal(await isTaken(books.streams.reveal(stream.number, session, paid)), false)
    if (covers(model, tickAmount, worth({ ...stream, ticks }))) end(model, worth(stream))
  }

  async function tip(model: Model, { count, slack }: Step) {
    const amount = BigInt(count)
    const maximum = larger(0n, model.charged + heldOf(model) + amount + BigInt(slack))
    const basket = await signTip(model.channel, { to: creator, amount, maximum })
    const isExpected = covers(model, amount, maximum)
    assert.equal(await isTaken(books.accept(basket)), isExpected)
    if (!isExpected) return
    model.charged += amount
    model.ceiling = larger(model.ceiling, maximum)
  }

  async function endByPayer(model: Model) {
    const { stream } = model
    if (!stream || stream.ticks === 0) return
    const maximum = model.charged + ticked(stream)
    const basket = await signEnd(model.channel, stream, { ticks: stream.ticks, maximum })
    const { receipt } = await books.accept(basket)
    end(model, maximum, receipt.basketId)
  }

  async function endByHub(model: Model) {
    const { stream } = model
    if (!stream) return
    const receipt = await books.streams.end(stream.number)
    assert.equal(receipt === undefined, stream.ticks === 0)
    end(model, worth(stream), receipt?.basketId)
  }

  /** The payer ends a stream again that has ended. */
  async function endLate(model: Model, { count }: Step) {
    const last = model.ended.at(-1)
    if (!last) return
    const basket = (ticks: number) =>
      signEnd(model.channel, last.stream, { ticks, maximum: balance })
    const { ticks } = last.stream
    assert.equal(await isTaken(books.accept(await basket(ticks + count))), false)
    if (ticks === 0) return
    const { receipt } = await books.accept(await basket(ticks))
    if (last.basketId) assert.equal(receipt.basketId, last.basketId)
  }

  /** Everything at once: what came of it is read off the answers, and must be one end and its parts. */
  async function race(model: Model, { count }: Step) {
    const { stream, charged } = model
    if (!stream || stream.ticks === 0) return
    const maximum = model.charged + ticked(stream) + BigInt(count)
    const basket = await signEnd(model.channel, stream, { ticks: stream.ticks, maximum })
    const extra = await signTip(model.channel, { to: creator, amount: BigInt(count), maximum })
    const [byPayer, tipped, moved, byHub] = await Promise.allSettled([
      books.accept(basket),
      books.accept(extra),
      reveal(stream, Math.min(maxTicks, stream.ticks + 1)),
      settleTurns().then(() => books.streams.end(stream.number)),
    ])
    const ticks = stream.ticks + (moved.status === 'fulfilled' ? 1 : 0)
    assert.ok(byPayer.status === 'fulfilled' || byHub.status === 'fulfilled')
    if (byPayer.status === 'fulfilled') assert.equal(ticks, stream.ticks)
    const more = tipped.status === 'fulfilled' ? BigInt(count) : 0n
    const { charged: after, ceiling } = amounts(model)
    assert.equal(after, charged + ticked({ ticks }) + more)
    Object.assign(model, { charged: after, ceiling, stream: undefined })
    model.ended.push({ stream: { ...stream, ticks }, basketId: undefined })
  }

  /** The disk fails while ticks are on their way: what was answered is there after the start. */
  async function crash(model: Model, { count }: Step) {
    const { stream } = model
    const before = stream ? sendTicks(stream, count) : []
    const early = Promise.allSettled(before)
    await settleTurns()
    broken.now = true
    const known = stream && { ...stream, ticks: stream.ticks + before.length }
    const after = known ? sendTicks(known, 1) : []
    const outcomes = [...(await Promise.allSettled(after)), ...(await early)]
    await restart()
    if (!stream) return
    const answered = outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? outcome.value : stream.ticks,
    )
    const { ticks } = books.streamBook.get(stream.number)
    assert.ok(ticks >= Math.max(stream.ticks, ...answered))
    assert.ok(ticks <= stream.ticks + before.length + after.length)
    model.stream = { ...stream, ticks }
  }

  /** So many ticks one by one, with no wait between them. */
  function sendTicks(stream: ModelStream, count: number): Promise<number>[] {
    const last = Math.min(maxTicks, stream.ticks + count)
    return Array.from({ length: last - stream.ticks }, async (_, index) => {
      const ticks = stream.ticks + index + 1
      await reveal(stream, ticks)
      return ticks
    })
  }

  async function take(model: Model, { kind, ...step }: Step & { kind: (typeof kinds)[number] }) {
    switch (kind) {
      case 'open':
        return openStream(model, step)
      case 'reveal':
        return tick(model, step)
      case 'junk':
        return junk(model)
      case 'tip':
        return tip(model, step)
      case 'payer ends':
        return endByPayer(model)
      case 'hub ends':
        return endByHub(model)
      case 'late end':
        return endLate(model, step)
      case 'race':
        return race(model, step)
      case 'restart':
        return restart()
      case 'crash':
        return crash(model, step)
    }
  }

  function assertAsModelled(model: Model) {
    const { charged, held, ceiling, available } = amounts(model)
    const expected = { charged: model.charged, held: heldOf(model), ceiling: model.ceiling }
    assert.deepEqual({ charged, held, ceiling }, expected)
    assert.equal(available, balance - charged - held)
    const { stream } = model
    if (stream) assert.equal(books.streamBook.get(stream.number).ticks, stream.ticks)
  }

  function assertBooked() {
    let charged = 0n
    for (const channel of books.channels.all()) charged += channel.charged
    assert.equal(books.book('channels'), charged)
  }

  holds(
    'charges each stream once, holds what is ticked, and loses nothing that was answered (R1, R2, R26, R27, R28)',
    steps,
    async (taken) => {
      const models: Model[] = []
      for (let made = 0; made < 2; made += 1) {
        const channel = await bookChannel(books, chain, { balance })
        models.push({ channel, charged: 0n, ceiling: 0n, stream: undefined, ended: [] })
      }
      for (const { at, ...step } of taken) {
        const model = models[at]
        assert.ok(model)
        await take(model, step)
        for (const each of models) assertAsModelled(each)
        assertBooked()
      }
      await restart()
      for (const model of models) {
        assertAsModelled(model)
        await endByHub(model)
        assertAsModelled(model)
      }
      assertBooked()
    },
    20,
  )
})
