import assert from 'node:assert/strict'
import { HubError } from '#protocol/errors.ts'
import type { Admission } from './admission.ts'
import { admissionLimits, createAdmission } from './admission.ts'

const { burst, perSecond, firstWindow, provedAfter, freshWaiting, wrongBurst } = admissionLimits

describe('createAdmission', () => {
  let time: number
  let admission: Admission

  beforeEach(() => {
    time = 1_000_000
    admission = createAdmission({ now: () => time })
  })

  const inTurn = <T>(sender: string, work: () => Promise<T>) =>
    admission.inTurn(sender, { isGone: () => false, work })

  const right = async () => 'receipt'
  const wrong = () => Promise.reject(new HubError('bad_signature', 'not theirs'))

  async function fail(sender: string, times: number) {
    for (let count = 0; count < times; count += 1)
      await assert.rejects(inTurn(sender, wrong), { code: 'bad_signature' })
  }

  async function prove(sender: string) {
    for (let count = 0; count < provedAfter; count += 1) await inTurn(sender, right)
  }

  /** Work that takes until it is told to end, and how many of them have begun. */
  function holdOpen(sender: string, count: number) {
    const ends: (() => void)[] = []
    const all = Array.from({ length: count }, () =>
      inTurn(sender, () => new Promise<void>((end) => ends.push(end))),
    )
    return {
      all,
      begun: () => ends.length,
      end() {
        for (const end of ends.splice(0)) end()
      },
    }
  }

  const turn = () => new Promise((resolve) => setImmediate(resolve))

  it('answers with what the work answers', async () => {
    assert.equal(await inTurn('a', right), 'receipt')
    assert.deepEqual(admission.counts(), { underWay: 0, waiting: 0 })
  })

  it(`hears ${burst} wrong signatures of an address, and then no more`, async () => {
    await fail('a', burst - 1)
    admission.assertHeard('a')
    await fail('a', 1)
    assert.equal(admission.owes('a'), true)
    assert.throws(() => admission.assertHeard('a'), { code: 'too_many_requests' })
    await assert.rejects(inTurn('a', right), { code: 'too_many_requests' })
    assert.equal(await inTurn('b', right), 'receipt')
  })

  it('hears an address again when time has paid for one', async () => {
    await fail('a', burst)
    time += 1_000 / perSecond + 1
    assert.equal(await inTurn('a', right), 'receipt')
  })

  it('lets a newcomer have some under way, and more with each that was right', async () => {
    const held = holdOpen('a', firstWindow + 40)
    await turn()
    assert.equal(held.begun(), firstWindow)
    assert.deepEqual(admission.counts(), { underWay: firstWindow, waiting: 40 })
    held.end()
    await turn()
    await turn()
    assert.equal(held.begun(), 40)
    held.end()
    await Promise.all(held.all)
    const more = holdOpen('a', firstWindow + 40)
    await turn()
    assert.equal(more.begun(), firstWindow + 40)
    more.end()
    await Promise.all(more.all)
  })

  it('gives proved senders their turn while wrong signatures of newcomers keep newcomers waiting', async () => {
    await prove('honest')
    for (let sender = 0; sender < wrongBurst / 100; sender += 1) await fail(`botnet ${sender}`, 100)
    const newcomer = holdOpen('newcomer', 1)
    await turn()
    assert.equal(newcomer.begun(), 0)
    assert.equal(await inTurn('honest', right), 'receipt')
    time += 1_000
    await inTurn('honest', right)
    while (newcomer.begun() === 0) await turn()
    newcomer.end()
    await Promise.all(newcomer.all)
  })

  it('refuses what a sender still has waiting when it owes too much', async () => {
    await fail('a', burst - 1)
    const outcomes = Array.from({ length: firstWindow + 20 }, () => inTurn('a', wrong))
    const codes = (await Promise.allSettled(outcomes)).map(
      (outcome) => outcome.status === 'rejected' && (outcome.reason as HubError).code,
    )
    assert.deepEqual(new Set(codes), new Set(['bad_signature', 'too_many_requests']))
    assert.deepEqual(admission.counts(), { underWay: 0, waiting: 0 })
  })

  it(`refuses newcomers as overloaded while ${freshWaiting} wait, and not who is proved`, async () => {
    await prove('honest')
    const held = Array.from({ length: 80 }, (_, sender) => holdOpen(`many ${sender}`, 200))
    const outcomes = held.flatMap(({ all }) => all.map((each) => each.catch((cause) => cause)))
    await turn()
    assert.equal(admission.counts().waiting, freshWaiting)
    assert.throws(() => admission.assertHeard('newcomer'), { code: 'overloaded' })
    assert.equal(await inTurn('honest', right), 'receipt')
    while (admission.counts().underWay > 0) {
      for (const { end } of held) end()
      await turn()
    }
    await Promise.all(outcomes)
  })

  it('does nothing any more for who hung up while it waited', async () => {
    const held = holdOpen('a', firstWindow)
    let isGone = false
    const late = admission.inTurn('a', { isGone: () => isGone, work: async () => assert.fail() })
    isGone = true
    held.end()
    await assert.rejects(late, { code: 'overloaded' })
    await Promise.all(held.all)
    assert.deepEqual(admission.counts(), { underWay: 0, waiting: 0 })
  })

  it('charges little for a refusal that is not about the signature, and nothing for its own', async () => {
    const refuse = (code: 'ceiling_too_low' | 'storage_failed') =>
      inTurn('a', () => Promise.reject(new HubError(code, 'no')))
    for (let count = 0; count < 5_000; count += 1)
      await assert.rejects(refuse('storage_failed'), { code: 'storage_failed' })
    for (let count = 0; count < burst * 10 - 1; count += 1)
      await assert.rejects(refuse('ceiling_too_low'), { code: 'ceiling_too_low' })
    admission.assertHeard('a')
    await assert.rejects(refuse('ceiling_too_low'))
    await assert.rejects(refuse('ceiling_too_low'))
    assert.throws(() => admission.assertHeard('a'), { code: 'too_many_requests' })
  })
})
