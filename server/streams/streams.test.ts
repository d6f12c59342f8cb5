import assert from 'node:assert/strict'
import type { Address, Hex } from 'viem'
import { hexToBytes } from 'viem'
import type { ErrorCode } from '#protocol/errors.ts'
import { HubError } from '#protocol/errors.ts'
import { keccak } from '#protocol/keccak.ts'
import { tipTo } from '#protocol/tip.ts'
import { groupTicks } from '../store/group-rows.ts'
import { decodeTicks } from '../store/tick-codec.ts'
import type { Books } from '../testing/books.ts'
import { openBooks } from '../testing/books.ts'
import type { ChainFixture, FundedChannel } from '../testing/chain.ts'
import { fundChannel, onChannels, openChain, signTip } from '../testing/chain.ts'
import type { Disk } from '../testing/disk.ts'
import { heldDoor, openDisk, settleTurns, withDoor } from '../testing/disk.ts'
import type { Terms } from '../testing/ticks.ts'
import { bookChannel, commitTo, signCommitment, signEnd } from '../testing/ticks.ts'

const ann = 'session of ann'
const bob = 'session of bob'
const junk = new Uint8Array(32).fill(7)

describe('createStreams', function () {
  this.timeout(120_000)
  let chain: ChainFixture
  let disk: Disk
  let books: Books
  let creator: Address
  let clock = 1_700_000_000_000

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

  const open = (db = disk.db) =>
    openBooks(chain, db, {
      now: () => clock,
      limits: { maxOpen: 205, maxTicksPerReveal: 8, idleMs: 60_000 },
    })

  /** As a crash and a start would: memory is gone, the disk stays. */
  async function restart() {
    await books.checks.stop()
    books = await open(await disk.reopen())
  }

  afterEach(async () => {
    clock += 60_001
    await books.streams.sweep()
    assert.deepEqual([...books.streamBook.all()], [])
    await assertSound()
  })

  /** The books on a disk that is held as soon as it is told to be slow. */
  async function slowDisk() {
    const { door, letGo, isHolding } = heldDoor()
    const isSlow = { now: false }
    const pass = (write: () => Promise<void>, options: unknown) =>
      isSlow.now ? door(write, options) : write()
    return { isSlow, letGo, isHolding, slow: await open(withDoor(disk.db, pass)) }
  }

  /** The books agree with the channels, whatever was ticked (I5). */
  async function assertSound() {
    let unclaimed = 0n
    for (const { charged, totalClaimed } of books.channels.all())
      unclaimed += charged - totalClaimed
    assert.equal(books.book('channels'), unclaimed)
  }

  const amounts = ({ id }: FundedChannel) => books.channels.amounts(books.channels.get(id))
  const chargedOf = (channel: FundedChannel) => amounts(channel).charged

  async function openStream(channel: FundedChannel, terms: Partial<Terms> = {}, session = ann) {
    const committed = await commitTo(channel, { to: creator, ...terms })
    const { commitment, signature } = committed
    const { number } = await books.streams.open({ commitment, signature, session })
    const reveal = (ticks: number) => books.streams.reveal(number, session, committed.paying(ticks))
    return { ...committed, number, reveal }
  }

  function isCode(code: ErrorCode, values: { [name: string]: unknown } = {}) {
    return (error: unknown) => {
      assert.ok(error instanceof HubError, String(error))
      assert.equal(error.code, code, error.message)
      assert.deepEqual({ ...error.values, ...values }, error.values)
      return true
    }
  }

  describe('open', () => {
    it('answers with a number of its own, when the stream is on disk and not before (R5)', async () => {
      const channel = await bookChannel(books, chain)
      const { door, letGo, isHolding } = heldDoor()
      const slow = await open(withDoor(disk.db, door))
      const { commitment, signature } = await commitTo(channel, { to: creator })
      let answered = false
      const opened = slow.streams.open({ commitment, signature, session: ann }).then((view) => {
        answered = true
        return view
      })
      while (!isHolding()) await settleTurns()
      await settleTurns()
      assert.equal(answered, false)
      letGo()
      const { number, ticks, amount } = await opened
      assert.deepEqual([ticks, amount], [0, 0n])
      await slow.checks.stop()
      await restart()
      assert.equal(books.streamBook.get(number).commitment.root, commitment.root)
      const next = await openStream(await bookChannel(books, chain))
      assert.equal(next.number, number + 1)
    })

    it('answers the same opening again with how far it is, also after a restart (R26)', async () => {
      const channel = await bookChannel(books, chain)
      const { commitment, signature, number, reveal } = await openStream(channel)
      await reveal(3)
      const again = () => books.streams.open({ commitment, signature, session: ann })
      assert.deepEqual(await again(), { number, ticks: 3, amount: 30n })
      await restart()
      assert.deepEqual(await again(), { number, ticks: 3, amount: 30n })
    })

    it('says how far a stream is when that is on disk, and not before (R5)', async () => {
      const { isSlow, slow, letGo } = await slowDisk()
      const { commitment, signature, paying } = await commitTo(await bookChannel(slow, chain), {
        to: creator,
      })
      const request = { commitment, signature, session: ann }
      const { number } = await slow.streams.open(request)
      isSlow.now = true
      const revealed = slow.streams.reveal(number, ann, paying(1))
      let answered = false
      const again = slow.streams.open(request).then((view) => {
        answered = true
        return view
      })
      await settleTurns()
      assert.equal(answered, false)
      letGo()
      assert.equal((await again).ticks, 1)
      await revealed
      await slow.checks.stop()
      await restart()
    })

    it('lets nothing be paid on a stream, and does not end it, before its opening is on disk', async () => {
      const { isSlow, slow, isHolding, letGo } = await slowDisk()
      const channel = await bookChannel(slow, chain)
      const { commitment, signature, paying } = await commitTo(channel, { to: creator })
      isSlow.now = true
      const opened = slow.streams.open({ commitment, signature, session: ann })
      while (!isHolding()) await settleTurns()
      const [{ number = 0 } = {}] = [...slow.streamBook.all()]
      const early = slow.streams.reveal(number, ann, paying(1))
      await assert.rejects(early, isCode('unknown_stream', { number }))
      await slow.streams.endSession(ann)
      letGo()
      assert.equal((await opened).number, number)
      await slow.streams.reveal(number, ann, paying(1))
      await slow.checks.stop()
      await restart()
    })

    it('opens one stream for one commitment that is sent many times at once (R26)', async () => {
      const { commitment, signature } = await commitTo(await bookChannel(books, chain), {
        to: creator,
      })
      const request = { commitment, signature, session: ann }
      const views = await Promise.all(Array.from({ length: 20 }, () => books.streams.open(request)))
      assert.equal(new Set(views.map(({ number }) => number)).size, 1)
      assert.equal(books.streamBook.count(), 1)
    })

    it('refuses in one order, the signature last (R13)', async () => {
      const [channel, busy] = [await bookChannel(books, chain), await bookChannel(books, chain)]
      const ended = await openStream(channel)
      await books.streams.end(ended.number)
      const open = await openStream(busy)
      const tip = await signTip(channel, { to: creator, amount: 100n, maximum: 100n })
      await books.accept(tip)
      const stranger: Address = `0x${'5a'.repeat(20)}`
      const other = await commitTo(channel, { to: creator, baseAmount: 100n })
      const wrong = { ...other, signature: open.signature, session: ann }
      const cases: [ErrorCode, Partial<Terms>][] = [
        ['invalid_request', { maxTicks: 1_025, channelId: `0x${'00'.repeat(32)}` }],
        ['invalid_request', { maxTicks: 0 }],
        ['invalid_request', { tickAmount: 0n }],
        ['invalid_request', { baseAmount: 2n ** 128n - 1n }],
        ['unknown_channel', { channelId: `0x${'00'.repeat(32)}`, root: open.commitment.root }],
        ['root_used', { channelId: busy.id, root: open.commitment.root, to: stranger }],
        ['stream_closed', { root: ended.commitment.root, to: stranger }],
        ['unknown_creator', { channelId: busy.id, to: stranger }],
        ['stream_open', { channelId: busy.id, baseAmount: 0n }],
        ['base_too_low', { baseAmount: 99n }],
        ['deposit_exceeded', { baseAmount: 10_001n }],
        ['bad_signature', { baseAmount: 10_000n }],
        ['bad_signature', { baseAmount: 100n }],
      ]
      for (const [code, { to, ...change }] of cases) {
        const named = { ...change, ...(to && { to: tipTo(to) }) }
        const commitment = { ...other.commitment, ...named }
        await assert.rejects(books.streams.open({ ...wrong, commitment }), isCode(code))
      }
      const { commitment, signature } = open
      const theirs = { commitment: { ...commitment, tickAmount: 1n }, signature, session: bob }
      await assert.rejects(books.streams.open(theirs), isCode('not_your_stream'))
      const low = { ...wrong, commitment: { ...other.commitment, baseAmount: 99n } }
      const values = { baseAmount: 99n, needed: 100n, charged: 100n, held: 0n }
      await assert.rejects(books.streams.open(low), isCode('base_too_low', values))
    })

    it('refuses a signature over any other field', async () => {
      const channel = await bookChannel(books, chain)
      const { commitment, signature } = await commitTo(channel, { to: creator })
      const foreign = await signCommitment(await bookChannel(books, chain), commitment)
      const { account: other } = await books.newCreator()
      const tampered = [
        { commitment: { ...commitment, to: tipTo(other) }, signature },
        { commitment: { ...commitment, baseAmount: 1n }, signature },
        { commitment: { ...commitment, tickAmount: 11n }, signature },
        { commitment: { ...commitment, maxTicks: 101 }, signature },
        { commitment: { ...commitment, root: other.padEnd(66, '0') as Hex }, signature },
        { commitment, signature: foreign },
      ]
      for (const request of tampered) {
        const opened = books.streams.open({ ...request, session: ann })
        await assert.rejects(opened, isCode('bad_signature'))
      }
    })

    it('lets as many streams be open as the limit, and one more when one ends', async () => {
      const streams = []
      for (let opened = 0; opened < 205; opened += 1)
        streams.push(await openStream(await bookChannel(books, chain)))
      const more = await bookChannel(books, chain)
      await assert.rejects(openStream(more), isCode('too_many_requests', { open: 205 }))
      await books.streams.end(streams[0]?.number ?? 0)
      await openStream(more)
    })

    it('opens no stream on a channel that another has been opened on meanwhile', async () => {
      const channel = await bookChannel(books, chain)
      const outcomes = await Promise.allSettled([1, 2, 3].map(() => openStream(channel)))
      const refused = outcomes.filter(({ status }) => status === 'rejected')
      assert.equal(refused.length, 2)
      for (const outcome of refused)
        isCode('stream_open')((outcome as PromiseRejectedResult).reason)
    })
  })

  describe('reveal', () => {
    it('takes steps and jumps, holds their money and books nothing (R27, I5)', async () => {
      const channel = await bookChannel(books, chain)
      const { reveal } = await openStream(channel)
      const before = new Map(books.balances)
      for (const ticks of [1, 2, 10, 11, 19]) {
        await reveal(ticks)
        const { held, charged, available } = amounts(channel)
        assert.deepEqual([held, charged], [BigInt(ticks) * 10n, 0n])
        assert.equal(available, 10_000n - held)
      }
      assert.deepEqual(books.balances, before)
    })

    it('answers when the preimage is on disk and not before; of a stream in a group, the newest is (R27)', async () => {
      const channel = await bookChannel(books, chain)
      const { commitment, signature, paying } = await commitTo(channel, { to: creator })
      const held = await slowDisk()
      const { slow } = held
      const { number } = await slow.streams.open({ commitment, signature, session: ann })
      held.isSlow.now = true
      let answers = 0
      const reveals = [1, 2, 5, 6].map(async (ticks) => {
        await slow.streams.reveal(number, ann, paying(ticks))
        answers += 1
      })
      await settleTurns()
      assert.ok(held.isHolding())
      assert.equal(answers, 0)
      held.letGo()
      await Promise.all(reveals)
      const rows = (await groupTicks.list(disk.db)).map(({ value }) => decodeTicks(value))
      const mine = rows.flat().filter(({ stream }) => stream === number)
      assert.deepEqual(mine, [{ stream: number, ...paying(6) }])
      await slow.checks.stop()
      await restart()
      assert.equal(books.streamBook.get(number).ticks, 6)
      assert.equal(amounts(channel).held, 60n)
    })

    it('refuses in one order, and what is refused changes nothing (R13)', async () => {
      const channel = await bookChannel(books, chain, { balance: 55n })
      const { number, paying, reveal } = await openStream(channel, { maxTicks: 20 })
      await reveal(2)
      const past = { ticks: 21, preimage: junk }
      const cases: [ErrorCode, number, string, { ticks: number; preimage: Uint8Array }][] = [
        ['unknown_stream', number + 1, bob, past],
        ['unknown_stream', 0.5, ann, past],
        ['not_your_stream', number, bob, past],
        ['tick_not_forward', number, ann, { ticks: 2, preimage: junk }],
        ['tick_not_forward', number, ann, paying(2)],
        ['tick_not_forward', number, ann, paying(1)],
        ['tick_not_forward', number, ann, { ticks: Number.NaN, preimage: junk }],
        ['beyond_commitment', number, ann, past],
        ['beyond_commitment', number, ann, { ticks: 2.5, preimage: junk }],
        ['tick_jump_too_far', number, ann, { ticks: 11, preimage: junk }],
        ['deposit_exceeded', number, ann, { ticks: 6, preimage: junk }],
      ]
      for (const [code, stream, session, paid] of cases) {
        await assert.rejects(books.streams.reveal(stream, session, paid), isCode(code))
        assert.equal(amounts(channel).held, 20n)
      }
      await reveal(5)
      assert.equal(amounts(channel).available, 5n)
    })

    it('takes a jump of the most that is allowed, and none of one more', async () => {
      const { reveal } = await openStream(await bookChannel(books, chain))
      await assert.rejects(reveal(9), isCode('tick_jump_too_far', { known: 0, maxJump: 8 }))
      await reveal(8)
    })

    it('takes the last tick of a commitment, and none after it', async () => {
      const { reveal, number } = await openStream(await bookChannel(books, chain), { maxTicks: 3 })
      await reveal(3)
      const more = books.streams.reveal(number, ann, { ticks: 4, preimage: junk })
      await assert.rejects(more, isCode('beyond_commitment', { maxTicks: 3 }))
    })

    for (const [what, preimage] of [
      ['junk', junk],
      ['31 bytes', junk.subarray(1)],
      ['33 bytes', new Uint8Array(33)],
    ] as const) {
      it(`ends the stream for ${what}, and keeps what was proved (R28)`, async () => {
        const channel = await bookChannel(books, chain)
        const { number, reveal } = await openStream(channel)
        await reveal(4)
        const wrong = books.streams.reveal(number, ann, { ticks: 5, preimage })
        await assert.rejects(wrong, isCode('wrong_preimage', { ticks: 5, proved: 4 }))
        assert.deepEqual([chargedOf(channel), amounts(channel).held], [40n, 0n])
        await assert.rejects(reveal(5), isCode('stream_closed'))
      })
    }

    it('takes the preimage of another number of ticks for a wrong one', async () => {
      const channel = await bookChannel(books, chain)
      const { number, paying } = await openStream(channel)
      const { preimage } = paying(2)
      const wrong = books.streams.reveal(number, ann, { ticks: 1, preimage })
      await assert.rejects(wrong, isCode('wrong_preimage'))
      assert.equal(chargedOf(channel), 0n)
    })

    it('keeps the bytes that it was given, whatever the caller does with them then', async () => {
      const { number, paying, reveal } = await openStream(await bookChannel(books, chain))
      const { preimage } = paying(1)
      const revealed = books.streams.reveal(number, ann, { ticks: 1, preimage })
      preimage.fill(0)
      await revealed
      await restart()
      assert.equal(books.streamBook.get(number).ticks, 1)
      await reveal(2)
    })

    it('keeps to the rule for money beside tips of the same channel (R1)', async () => {
      const channel = await bookChannel(books, chain)
      const { reveal } = await openStream(channel, { baseAmount: 0n })
      await reveal(3)
      const low = await signTip(channel, { to: creator, amount: 5n, maximum: 34n })
      await assert.rejects(books.accept(low), isCode('ceiling_too_low', { needed: 35n }))
      await books.accept(await signTip(channel, { to: creator, amount: 5n, maximum: 35n }))
      const values = { charged: 5n, held: 30n, ceiling: 35n, needed: 45n }
      await assert.rejects(reveal(4), isCode('ceiling_too_low', values))
      await books.accept(await signTip(channel, { to: creator, amount: 1n, maximum: 46n }))
      await reveal(4)
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [6n, 40n])
    })

    it('counts from a higher base what is charged meanwhile (R1)', async () => {
      const channel = await bookChannel(books, chain)
      const { reveal } = await openStream(channel, { baseAmount: 100n })
      await books.accept(await signTip(channel, { to: creator, amount: 100n, maximum: 100n }))
      await reveal(1)
      await books.accept(await signTip(channel, { to: creator, amount: 1n, maximum: 111n }))
      await assert.rejects(reveal(2), isCode('ceiling_too_low', { needed: 121n }))
    })

    it('pays for two commitments on one base no more than each says (R21)', async () => {
      const channel = await bookChannel(books, chain)
      const first = await openStream(channel)
      await first.reveal(3)
      await books.streams.end(first.number)
      await assert.rejects(openStream(channel), isCode('base_too_low', { needed: 30n }))
      const { reveal } = await openStream(channel, { baseAmount: 30n })
      await reveal(1)
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [30n, 10n])
    })

    it('takes no tick while the books are unequal, and goes on after (R14)', async () => {
      const channel = await bookChannel(books, chain)
      const { reveal } = await openStream(channel)
      await reveal(1)
      await books.follower.tick()
      const key = `${chain.token}|fees`
      const right = books.balances.get(key) ?? 0n
      books.balances.set(key, right - 1n)
      await books.reserves.check()
      await assert.rejects(reveal(2), isCode('reserves_unequal'))
      books.balances.set(key, right)
      await books.reserves.check()
      await reveal(2)
    })
  })

  describe('the end by the payer’s basket', () => {
    it('charges what was ticked once, and frees what was held (R28)', async () => {
      const channel = await bookChannel(books, chain)
      const stream = await openStream(channel)
      await stream.reveal(7)
      const { receipt, channel: after } = await books.accept(
        await signEnd(channel, stream, { ticks: 7 }),
      )
      assert.deepEqual([after.charged, after.held, after.ceiling], [70n, 0n, 70n])
      const [tip] = receipt.tips
      assert.deepEqual([tip?.leaf.amount, tip?.leaf.ref], [70n, stream.commitment.root])
      await assert.rejects(stream.reveal(8), isCode('stream_closed'))
      await restart()
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [70n, 0n])
      await assert.rejects(openStream(channel), isCode('base_too_low'))
    })

    it('is refused when it is not what was ticked, and says what was (R28)', async () => {
      const channel = await bookChannel(books, chain)
      const stream = await openStream(channel)
      await stream.reveal(3)
      const { root } = stream.commitment
      const { account: other } = await books.newCreator()
      const wrong = [
        await signEnd(channel, stream, { ticks: 2 }),
        await signEnd(channel, stream, { ticks: 4 }),
        await signTip(channel, { to: other, amount: 30n, maximum: 30n, ref: root }),
      ]
      for (const basket of wrong) {
        const values = { stream: stream.number, root, amount: 30n, ticks: 3, to: tipTo(creator) }
        await assert.rejects(books.accept(basket), isCode('stream_mismatch', values))
      }
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [0n, 30n])
      await books.accept(await signEnd(channel, stream, { ticks: 3 }))
    })

    it('is refused beside another tip, which would be charged under the root too', async () => {
      const channel = await bookChannel(books, chain)
      const stream = await openStream(channel)
      await stream.reveal(1)
      const end = await signEnd(channel, stream, { ticks: 1 })
      const tips = [
        ...end.tips,
        { to: tipTo(creator), amount: 1n, ref: `0x${'01'.repeat(32)}` as Hex },
      ]
      const accepted = books.accept({ ...end, tips })
      await assert.rejects(accepted, isCode('stream_mismatch'))
    })

    it('needs a voucher that covers it, but no escrow beyond what was held (R1)', async () => {
      const channel = await bookChannel(books, chain, { balance: 30n })
      const stream = await openStream(channel)
      await stream.reveal(3)
      const low = await signEnd(channel, stream, { ticks: 3, maximum: 29n })
      await assert.rejects(books.accept(low), isCode('ceiling_too_low', { needed: 30n }))
      books.channels.setEarlyWithdrawals(new Map([[channel.id, 30n]]))
      const { channel: after } = await books.accept(await signEnd(channel, stream, { ticks: 3 }))
      books.channels.setEarlyWithdrawals(new Map())
      assert.equal(after.charged, 30n)
    })

    it('is charged once when it comes many times at once, and as the hub ends the stream (R2, R28)', async () => {
      const channel = await bookChannel(books, chain)
      const stream = await openStream(channel)
      await stream.reveal(5)
      const end = await signEnd(channel, stream, { ticks: 5 })
      const sent = Array.from({ length: 10 }, () => books.accept(end))
      const ended = books.streams.end(stream.number)
      const receipts = (await Promise.all(sent)).map(({ receipt }) => receipt)
      for (const receipt of receipts) assert.deepEqual(receipt, await ended)
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [50n, 0n])
    })
  })

  describe('the end by the hub', () => {
    it('charges what was ticked under the basket that its payer would end it with (R2, R28)', async () => {
      const channel = await bookChannel(books, chain)
      const stream = await openStream(channel)
      await stream.reveal(6)
      const receipt = await books.streams.end(stream.number)
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [60n, 0n])
      await restart()
      const late = await books.accept(await signEnd(channel, stream, { ticks: 6 }))
      assert.deepEqual(late.receipt, receipt)
      assert.equal(late.channel.charged, 60n)
      const { proof } = books.channels.get(channel.id)
      assert.equal(proof?.kind, 'ticks')
      assert.equal(proof?.maxClaimableAmount, 60n)
    })

    it('leaves a late basket over another amount refused: the stream was charged (R28)', async () => {
      const channel = await bookChannel(books, chain)
      const stream = await openStream(channel)
      await stream.reveal(6)
      const receipt = await books.streams.end(stream.number)
      for (const ticks of [5, 7]) {
        const late = books.accept(await signEnd(channel, stream, { ticks, maximum: 900n }))
        const values = { stream: stream.number, ticks: 6, basketId: receipt?.basketId }
        await assert.rejects(late, isCode('stream_closed', values))
      }
      assert.equal(chargedOf(channel), 60n)
    })

    it('stays the end when rows that follow from its ticks are written much later', async () => {
      const channel = await bookChannel(books, chain)
      const { reveal, number } = await openStream(channel)
      await reveal(1)
      await books.streams.end(number)
      for (let group = 0; group < 260; group += 1) await books.log.commit({})
      await restart()
      assert.deepEqual([...books.streamBook.all()], [])
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [10n, 0n])
    })

    it('charges nothing when nothing was ticked', async () => {
      const channel = await bookChannel(books, chain)
      const { number } = await openStream(channel)
      assert.equal(await books.streams.end(number), undefined)
      assert.equal(chargedOf(channel), 0n)
      assert.equal(books.channels.get(channel.id).proof, undefined)
    })

    it('charges the ticks of a payer who had sent the very tip of its end before', async () => {
      const channel = await bookChannel(books, chain)
      const committed = await commitTo(channel, { to: creator, baseAmount: 20n })
      const early = await signEnd(channel, committed, { ticks: 2, maximum: 20n })
      const { receipt: first } = await books.accept(early)
      const { commitment, signature } = committed
      const { number } = await books.streams.open({ commitment, signature, session: ann })
      await books.streams.reveal(number, ann, committed.paying(2))
      const again = await books.accept(early)
      assert.deepEqual(again.receipt, first)
      assert.deepEqual([again.channel.charged, again.channel.held], [20n, 20n])
      const receipt = await books.streams.end(number)
      assert.equal(receipt?.tips[0]?.leaf.ref, keccak(hexToBytes(commitment.root)))
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [40n, 0n])
    })

    it('comes when a stream is idle for as long as the limit, not before', async () => {
      const channel = await bookChannel(books, chain)
      const { reveal } = await openStream(channel)
      clock += 59_999
      await reveal(1)
      clock += 59_999
      await books.streams.sweep()
      assert.equal(amounts(channel).held, 10n)
      clock += 1
      await books.streams.sweep()
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [10n, 0n])
    })

    it('comes when a withdrawal leaves less than is charged and held, not before (R6)', async () => {
      const channel = await bookChannel(books, chain, { balance: 100n })
      const { reveal } = await openStream(channel)
      await reveal(3)
      books.channels.setEarlyWithdrawals(new Map([[channel.id, 70n]]))
      await books.streams.sweep()
      assert.equal(amounts(channel).held, 30n)
      await assert.rejects(reveal(4), isCode('deposit_exceeded'))
      books.channels.setEarlyWithdrawals(new Map([[channel.id, 71n]]))
      await books.streams.sweep()
      books.channels.setEarlyWithdrawals(new Map())
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [30n, 0n])
    })

    it('comes when the session ends, for its streams alone', async () => {
      const [mine, theirs] = [await bookChannel(books, chain), await bookChannel(books, chain)]
      await (await openStream(mine)).reveal(1)
      await (await openStream(theirs, {}, bob)).reveal(1)
      await books.streams.endSession(ann)
      assert.deepEqual([chargedOf(mine), chargedOf(theirs)], [10n, 0n])
    })

    it('charges no more than can be claimed when a thief claimed above what was charged', async () => {
      const channel = await bookChannel(books, chain)
      const { reveal, number } = await openStream(channel, { baseAmount: 10n })
      await reveal(3)
      const known = books.channels.get(channel.id)
      books.channels.update({ ...known, charged: 25n })
      const receipt = await books.streams.end(number)
      books.channels.update({ ...books.channels.get(channel.id), charged: 15n })
      assert.equal(receipt?.tips[0]?.leaf.amount, 15n)
      assert.equal(amounts(channel).held, 0n)
    })
  })

  describe('a withdrawal on a real chain', () => {
    it('ends the stream that it takes the money of, before the withdrawal is at policy depth (R6)', async () => {
      const channel = await fundChannel(chain, { deposit: 1_000n })
      await books.follower.tick()
      const { reveal } = await openStream(channel)
      await reveal(2)
      const { contract, config, payer } = channel
      const args = [config, 1_000n]
      await onChannels(chain, payer, { contract, functionName: 'initiateWithdraw', args })
      await books.follower.tick()
      await books.streams.sweep()
      assert.deepEqual([chargedOf(channel), amounts(channel).held], [20n, 0n])
      assert.equal((await books.reserves.check()).verdict, 'equal')
    })
  })
})
