// Whose signatures are checked next. A check costs more than everything before it, so each sender waits for its own: honest
// senders are known by the signatures that were right, and whoever sends wrong ones pays for the time with waiting.

import { errorTable, HubError } from '#protocol/errors.ts'
import type { Debt } from './debt.ts'
import { createDebt } from './debt.ts'

/**
 * Of one sender: a wrong signature is a debt of 1, a refusal of `refusalCost`; it may owe `burst`, and `perSecond` is forgiven.
 * What it may have under way grows from `firstWindow` by one with each right signature, up to `window`; after `provedAfter`
 * right ones it is proved.
 *
 * Of all: `underWay` at once. Those who are not proved share `freshWindow` of that, and `wrongBurst` wrong signatures with
 * `wrongPerSecond` more; beyond it only proved ones have their turn. `waiting` may wait in all, and `freshWaiting` of those who
 * are not proved; from `crowded` on, connections are read more slowly. `senders` are remembered at most.
 */
export type AdmissionLimits = typeof admissionLimits

export const admissionLimits = {
  burst: 200,
  perSecond: 20,
  refusalCost: 0.1,
  firstWindow: 64,
  window: 2_048,
  provedAfter: 16,
  underWay: 2_048,
  freshWindow: 256,
  wrongBurst: 2_000,
  wrongPerSecond: 1_000,
  waiting: 20_000,
  freshWaiting: 8_000,
  crowded: 1_000,
  senders: 100_000,
}

/** How many have their turn before the event loop is free for others. */
const grantsPerTurn = 64

/** When to look again whether those who are not proved may go on, in milliseconds. */
const lookAgainMs = 20

/** How many senders are looked at to find one that can be forgotten. */
const lookedAt = 100

export type Admission = {
  /** Refuses a sender that owes too much, and everybody while too many wait. @throws HubError `too_many_requests`, `overloaded` */
  assertHeard(sender: string): void
  /**
   * Does work with a signature in it when it is the sender's turn, unless nobody waits for it any more. What it throws says how
   * the signature was.
   *
   * @throws what the work throws, and HubError `too_many_requests`, `overloaded`
   */
  inTurn<T>(sender: string, asked: { isGone: () => boolean; work: () => Promise<T> }): Promise<T>
  /** Whether so many wait that nobody should be asked for more. */
  isCrowded(): boolean
  /** Whether a sender owes too much to be heard. */
  owes(sender: string): boolean
  /** A sender's signature was wrong, outside of {@link inTurn}, and took the time of so many checks. */
  blame(sender: string, checks: number): void
  /** How many are under way, and how many wait. */
  counts(): { underWay: number; waiting: number }
}

/** `go` is told whether the turn is one of those that the senders share who are not proved. */
type Waiter = { isFresh: boolean; go: (isFresh: boolean) => void; fail: (error: HubError) => void }

type Sender = { debt: Debt; right: number; underWay: number; waiting: Waiter[] }

/** `now` is in milliseconds. */
export function createAdmission({
  now,
  limits = admissionLimits,
}: {
  now: () => number
  limits?: AdmissionLimits
}): Admission {
  const senders = rememberSenders({ now, limits })
  /** Those of whom something waits and who have room for it, in turn. */
  const proved = new Set<Sender>()
  const fresh = new Set<Sender>()
  const count = { underWay: 0, freshUnderWay: 0, waiting: 0, freshWaiting: 0 }
  const wrong = createDebt({ now, perSecond: limits.wrongPerSecond })
  let isScheduled = false
  let isLooking = false

  return {
    assertHeard(name) {
      const sender = senders.known(name)
      if (sender) assertSolvent(sender)
      assertRoom(sender)
    },
    async inTurn(name, { isGone, work }) {
      const sender = senders.of(name)
      assertSolvent(sender)
      const isFresh = mayStart(sender) ? start(sender) : await turnOf(sender)
      try {
        if (isGone()) throw new HubError('overloaded', 'the sender hung up before its turn')
        const done = await work()
        sender.right += 1
        return done
      } catch (error) {
        judge(sender, { error, isFresh })
        throw error
      } finally {
        leave(sender, isFresh)
      }
    },
    isCrowded: () => count.waiting >= limits.crowded,
    owes(name) {
      const sender = senders.known(name)
      return sender !== undefined && isInsolvent(sender)
    },
    blame(name, checks) {
      const sender = senders.of(name)
      sender.right = 0
      owe(sender, checks)
    },
    counts: () => ({ underWay: count.underWay, waiting: count.waiting }),
  }

  function assertSolvent(sender: Sender) {
    if (isInsolvent(sender)) throw insolvent()
  }

  function isInsolvent({ debt }: Sender): boolean {
    return debt.owed() >= limits.burst
  }

  function assertRoom(sender: Sender | undefined) {
    const isFull =
      sender && isProved(sender)
        ? count.waiting >= limits.waiting
        : count.freshWaiting >= limits.freshWaiting
    if (!isFull) return
    const values = { waiting: count.waiting }
    throw new HubError('overloaded', `${count.waiting} signatures wait to be checked`, { values })
  }

  function turnOf(sender: Sender): Promise<boolean> {
    assertRoom(sender)
    const isFresh = !isProved(sender)
    count.waiting += 1
    if (isFresh) count.freshWaiting += 1
    return new Promise((go, fail) => {
      sender.waiting.push({ isFresh, go, fail })
      lineUp(sender)
      schedule()
    })
  }

  /** Puts a sender in the line that it belongs to, if it has something to do and may do it. */
  function lineUp(sender: Sender) {
    if (sender.waiting.length === 0 || !hasRoom(sender)) return
    if (isProved(sender)) proved.add(sender)
    else fresh.add(sender)
  }

  function schedule() {
    if (isScheduled) return
    isScheduled = true
    setImmediate(grant)
  }

  /** Gives turns, to each sender in its turn and to proved ones first. */
  function grant() {
    isScheduled = false
    for (let granted = 0; granted < grantsPerTurn; granted += 1) {
      if (count.underWay >= limits.underWay) return
      const sender = takeFrom(proved) ?? (mayFreshStart() ? takeFrom(fresh) : undefined)
      if (!sender) return lookAgain()
      const waiter = stopWaiting(sender)
      waiter?.go(start(sender))
      lineUp(sender)
    }
    schedule()
  }

  /** Whoever is held up by the wrong signatures of others goes on when time has paid for them. */
  function lookAgain() {
    if (isLooking || fresh.size === 0 || count.freshUnderWay >= limits.freshWindow) return
    isLooking = true
    setTimeout(() => {
      isLooking = false
      schedule()
    }, lookAgainMs).unref()
  }

  function takeFrom(line: Set<Sender>): Sender | undefined {
    for (const sender of line) {
      line.delete(sender)
      if (sender.waiting.length > 0 && hasRoom(sender)) return sender
    }
    return undefined
  }

  function stopWaiting(sender: Sender): Waiter | undefined {
    const waiter = sender.waiting.shift()
    count.waiting -= 1
    if (waiter?.isFresh) count.freshWaiting -= 1
    return waiter
  }

  function mayStart(sender: Sender): boolean {
    if (sender.waiting.length > 0 || !hasRoom(sender) || count.underWay >= limits.underWay)
      return false
    return isProved(sender) || mayFreshStart()
  }

  function mayFreshStart(): boolean {
    return count.freshUnderWay < limits.freshWindow && wrong.owed() < limits.wrongBurst
  }

  function hasRoom({ underWay, right }: Sender): boolean {
    return underWay < Math.min(limits.window, limits.firstWindow + right)
  }

  function isProved({ right }: Sender): boolean {
    return right >= limits.provedAfter
  }

  function start(sender: Sender): boolean {
    const isFresh = !isProved(sender)
    sender.underWay += 1
    count.underWay += 1
    if (isFresh) count.freshUnderWay += 1
    return isFresh
  }

  function leave(sender: Sender, isFresh: boolean) {
    sender.underWay -= 1
    count.underWay -= 1
    if (isFresh) count.freshUnderWay -= 1
    lineUp(sender)
    if (proved.size + fresh.size > 0) schedule()
  }

  function judge(sender: Sender, { error, isFresh }: { error: unknown; isFresh: boolean }) {
    if (!(error instanceof HubError) || isBusy(error)) return
    if (error.code !== 'bad_signature') return owe(sender, limits.refusalCost)
    sender.right = 0
    owe(sender, 1)
    if (isFresh) wrong.add(1)
  }

  /** What waits of a sender that owes too much is refused at once. */
  function owe(sender: Sender, amount: number) {
    sender.debt.add(amount)
    if (!isInsolvent(sender)) return
    while (sender.waiting.length > 0) stopWaiting(sender)?.fail(insolvent())
  }
}

/** Everybody who was heard of lately. */
function rememberSenders({ now, limits }: { now: () => number; limits: AdmissionLimits }) {
  const senders = new Map<string, Sender>()

  return {
    known: (name: string) => senders.get(name),
    of(name: string): Sender {
      const known = senders.get(name)
      if (known) return known
      if (senders.size >= limits.senders) forgetOne()
      const debt = createDebt({ now, perSecond: limits.perSecond })
      const sender: Sender = { debt, right: 0, underWay: 0, waiting: [] }
      senders.set(name, sender)
      return sender
    },
  }

  /** Forgets one that was seen early and has nothing here. */
  function forgetOne() {
    let looked = 0
    for (const [name, { underWay, waiting }] of senders) {
      looked += 1
      if (underWay + waiting.length > 0 && looked < lookedAt) continue
      senders.delete(name)
      return
    }
  }
}

/** Whether a refusal is the hub's doing and not the sender's. */
function isBusy({ code }: HubError): boolean {
  const [status] = errorTable[code]
  return status === 429 || status >= 500
}

function insolvent() {
  return new HubError('too_many_requests', 'too many signatures from this address were not right')
}
