import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Address, Hex } from 'viem'
import { larger, maxAmount, smaller } from '#protocol/amount.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { withdrawDelayBounds } from '#protocol/channel.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import { HubError } from '#protocol/errors.ts'
import { addresses, amounts, holds } from '#protocol/testing/arbitrary.ts'
import type { Channel, ChannelTerms } from './channel.ts'
import {
  assertCovered,
  assertSound,
  channelAmounts,
  charge,
  configRefusal,
  escrowCap,
  hold,
  newChannel,
  observe,
} from './channel.ts'

const account = (digit: string): Address => `0x${digit.repeat(40)}`
const zeroAddress = account('0')
const id: Hex = `0x${'1d'.repeat(32)}`
const terms: ChannelTerms = {
  contract: account('a'),
  receiver: account('b'),
  receiverAuthorizer: account('c'),
  tokens: [account('d'), account('e')],
  withdrawDelay: withdrawDelayBounds,
}
const config: ChannelConfig = {
  payer: account('1'),
  payerAuthorizer: account('2'),
  receiver: terms.receiver,
  receiverAuthorizer: terms.receiverAuthorizer,
  token: account('d'),
  withdrawDelay: withdrawDelayBounds.minimum,
  salt: id,
}
const fresh = newChannel(id, { config, contract: terms.contract, terms })

function proofOf(maxClaimableAmount: bigint) {
  return { kind: 'voucher' as const, maxClaimableAmount, tipsHash: id, signature: id }
}

function channelWith(change: Partial<Channel>): Channel {
  return { ...fresh, ...change }
}

/** The code of the refusal that a call throws, or `undefined` when it passes. */
function refusalOf(call: () => void): string | undefined {
  try {
    call()
    return undefined
  } catch (error) {
    if (error instanceof HubError) return error.code
    throw error
  }
}

/** R1 word by word, on plain sums: `charged + held + new ≤ min(max(ceiling, maximum), escrowCap)`. */
function oracle(
  money: {
    charged: bigint
    held: bigint
    ceiling: bigint
    balance: bigint
    pending: bigint
    early?: bigint
  },
  { added, offered }: { added: bigint; offered: bigint },
): boolean {
  const leaving = larger(money.pending, money.early ?? 0n)
  const bound = larger(money.ceiling, offered)
  const total = money.charged + money.held + added
  return total <= bound && total + leaving <= money.balance
}

describe('configRefusal', () => {
  it('is undefined for a channel that can be claimed (R7)', () => {
    assert.equal(configRefusal(config, terms), undefined)
    assert.equal(configRefusal({ ...config, token: account('e') }, terms), undefined)
  })

  const refused: [ErrorCode, Partial<ChannelConfig>][] = [
    ['authorizer_required', { payerAuthorizer: zeroAddress }],
    ['wrong_receiver', { receiver: account('9') }],
    ['wrong_receiver_authorizer', { receiverAuthorizer: account('9') }],
    ['token_not_listed', { token: account('9') }],
    ['withdraw_delay_out_of_range', { withdrawDelay: withdrawDelayBounds.minimum - 1 }],
    ['withdraw_delay_out_of_range', { withdrawDelay: withdrawDelayBounds.maximum + 1 }],
    ['withdraw_delay_out_of_range', { withdrawDelay: 0 }],
    ['withdraw_delay_out_of_range', { withdrawDelay: 2 ** 40 - 1 }],
  ]
  for (const [code, change] of refused) {
    it(`is ${code} for ${Object.entries(change).join(' ')} (R7)`, () => {
      assert.equal(configRefusal({ ...config, ...change }, terms), code)
    })
  }

  for (const withdrawDelay of [withdrawDelayBounds.minimum, withdrawDelayBounds.maximum]) {
    it(`takes a delay of ${withdrawDelay} s, the bound itself (R7)`, () => {
      assert.equal(configRefusal({ ...config, withdrawDelay }, terms), undefined)
    })
  }

  it('answers the first of several reasons, in the order of the checks (R13)', () => {
    const all = refused.slice(0, 5)
    for (let first = 0; first < all.length; first += 1) {
      const changes = all.slice(first).map(([, change]) => change)
      const wrong: ChannelConfig = Object.assign({ ...config }, ...changes)
      assert.equal(configRefusal(wrong, terms), all[first]?.[0])
    }
  })

  it('refuses every token when none is listed (R7)', () => {
    assert.equal(configRefusal(config, { ...terms, tokens: [] }), 'token_not_listed')
  })
})

describe('newChannel', () => {
  it('holds no money and gives no refusal on the contract of the hub', () => {
    const { refusal, charged, held, balance, proof } = fresh
    assert.deepEqual(
      { refusal, charged, held, balance, proof },
      { refusal: undefined, charged: 0n, held: 0n, balance: 0n, proof: undefined },
    )
  })

  it('keeps why its configuration gets no credit (R7)', () => {
    const wrong = { ...config, payerAuthorizer: zeroAddress }
    const { refusal } = newChannel(id, { config: wrong, contract: terms.contract, terms })
    assert.equal(refusal, 'authorizer_required')
  })

  holds('is unknown on any other contract (R7)', addresses, (contract) => {
    const { refusal } = newChannel(id, { config, contract, terms })
    assert.equal(refusal, contract === terms.contract ? undefined : 'unknown_channel')
  })
})

describe('escrowCap', () => {
  const pendingOf = (amount: bigint) => ({ amount, finalizeAfter: 0n })

  it('is the balance when nothing leaves', () => {
    assert.equal(escrowCap(channelWith({ balance: 100n })), 100n)
  })

  it('counts a withdrawal that was only seen at the head (R6)', () => {
    assert.equal(escrowCap(channelWith({ balance: 100n }), 30n), 70n)
  })

  it('counts one withdrawal once: the larger of seen and known (R6)', () => {
    const channel = channelWith({ balance: 100n, pendingWithdrawal: pendingOf(40n) })
    assert.equal(escrowCap(channel), 60n)
    assert.equal(escrowCap(channel, 40n), 60n)
    assert.equal(escrowCap(channel, 39n), 60n)
    assert.equal(escrowCap(channel, 41n), 59n)
  })

  it('is zero, and never below, when as much or more leaves than there is (R6)', () => {
    const channel = channelWith({ balance: 100n, pendingWithdrawal: pendingOf(100n) })
    assert.equal(escrowCap(channel), 0n)
    assert.equal(escrowCap(channel, maxAmount), 0n)
    assert.equal(escrowCap(fresh, 1n), 0n)
  })

  holds(
    'never rises by a withdrawal, and never falls by a deposit (R6)',
    fc.tuple(amounts, amounts, amounts, amounts),
    ([balance, pending, early, more]) => {
      const channel = channelWith({ balance, pendingWithdrawal: pendingOf(pending) })
      const cap = escrowCap(channel, early)
      assert.ok(escrowCap(channel, early + more) <= cap)
      assert.ok(escrowCap({ ...channel, balance: balance + more }, early) >= cap)
    },
  )
})

describe('channelAmounts', () => {
  it('says what the rule for money compares', () => {
    const channel = channelWith({ balance: 100n, charged: 20n, held: 5n, proof: proofOf(50n) })
    assert.deepEqual(channelAmounts(channel, 10n), {
      ceiling: 50n,
      charged: 20n,
      held: 5n,
      escrowCap: 90n,
      available: 65n,
    })
  })

  it('has nothing available, and no negative amount, when more is used than is left', () => {
    const channel = channelWith({ balance: 100n, charged: 80n, held: 5n, proof: proofOf(80n) })
    const { available, escrowCap: cap } = channelAmounts(channel, 60n)
    assert.deepEqual({ available, cap }, { available: 0n, cap: 40n })
  })
})

describe('assertCovered', () => {
  const money = { ceiling: 60n, charged: 40n, held: 10n, escrowCap: 100n, available: 50n }

  it('takes exactly what the ceiling and the deposit cover (R1)', () => {
    assertCovered(money, { added: 10n, offered: 0n })
    assertCovered(money, { added: 50n, offered: 100n })
  })

  it('refuses one unit above the ceiling, with every amount (R1)', () => {
    assert.throws(
      () => assertCovered(money, { added: 11n, offered: 60n }),
      (error) => {
        assert.ok(error instanceof HubError)
        assert.equal(error.code, 'ceiling_too_low')
        assert.deepEqual(error.values, { ...money, new: 11n, needed: 61n })
        return true
      },
    )
  })

  it('refuses one unit above the deposit, with every amount, whatever is offered (R1)', () => {
    assert.throws(
      () => assertCovered(money, { added: 51n, offered: maxAmount }),
      (error) => {
        assert.ok(error instanceof HubError)
        assert.equal(error.code, 'deposit_exceeded')
        assert.deepEqual(error.values, { ...money, new: 51n, needed: 101n })
        return true
      },
    )
  })

  it('answers deposit_exceeded first when both are too low (R13)', () => {
    const code = refusalOf(() => assertCovered(money, { added: 51n, offered: 0n }))
    assert.equal(code, 'deposit_exceeded')
  })

  it('counts what is held for refunds (R1, R10)', () => {
    const basket = { added: 10n, offered: 60n }
    assertCovered(money, basket)
    const code = refusalOf(() => assertCovered({ ...money, held: 11n }, basket))
    assert.equal(code, 'ceiling_too_low')
  })

  holds(
    'agrees with the rule as it is written, near every bound (R1)',
    fc.record({
      charged: fc.bigInt({ min: 0n, max: 12n }),
      held: fc.bigInt({ min: 0n, max: 4n }),
      ceiling: fc.bigInt({ min: 0n, max: 20n }),
      balance: fc.bigInt({ min: 0n, max: 20n }),
      pending: fc.bigInt({ min: 0n, max: 6n }),
      early: fc.bigInt({ min: 0n, max: 6n }),
      added: fc.bigInt({ min: 1n, max: 8n }),
      offered: fc.bigInt({ min: 0n, max: 24n }),
    }),
    ({ added, offered, ...state }) => {
      const { charged, held, balance, pending: amount, ceiling } = state
      const pendingWithdrawal = { amount, finalizeAfter: 0n }
      const channel = channelWith({
        charged,
        held,
        balance,
        pendingWithdrawal,
        proof: proofOf(ceiling),
      })
      const compared = channelAmounts(channel, state.early)
      const taken = refusalOf(() => assertCovered(compared, { added, offered })) === undefined
      assert.equal(taken, oracle(state, { added, offered }))
    },
    5_000,
  )
})

describe('charge', () => {
  it('adds to charged and keeps the higher voucher', () => {
    const first = charge(fresh, { added: 5n, proof: proofOf(10n) })
    const second = charge(first, { added: 5n, proof: proofOf(10n) })
    const third = charge(second, { added: 1n, proof: proofOf(12n) })
    assert.deepEqual(
      [first, second, third].map(({ charged }) => charged),
      [5n, 10n, 11n],
    )
    assert.equal(second.proof, first.proof)
    assert.equal(third.proof?.maxClaimableAmount, 12n)
  })

  it('keeps the ceiling when the voucher is lower (I3)', () => {
    const high = charge(fresh, { added: 1n, proof: proofOf(50n) })
    const next = charge(high, { added: 1n, proof: proofOf(2n) })
    assert.equal(next.proof, high.proof)
  })

  it('is a bug above the ceiling, and when charged would fall (I2, I3)', () => {
    const bug = { name: 'AssertionError' }
    assert.throws(() => charge(fresh, { added: 11n, proof: proofOf(10n) }), bug)
    const charged = charge(fresh, { added: 5n, proof: proofOf(10n) })
    assert.throws(() => charge(charged, { added: -1n, proof: proofOf(10n) }), bug)
  })

  it('leaves the channel that it was given as it was', () => {
    const before = structuredClone(fresh)
    charge(fresh, { added: 5n, proof: proofOf(10n) })
    assert.deepEqual(fresh, before)
  })
})

describe('hold', () => {
  it('reserves, frees, and is a bug when more is freed than is held (R10)', () => {
    const held = hold(fresh, 5n)
    assert.equal(held.held, 5n)
    assert.equal(hold(held, -5n).held, 0n)
    assert.throws(() => hold(held, -6n), { name: 'AssertionError' })
  })
})

describe('observe', () => {
  const seen = { balance: 100n, totalClaimed: 10n, pendingWithdrawal: undefined, refundNonce: 0n }
  const charged = channelWith({ balance: 100n, charged: 10n, proof: proofOf(10n) })

  it('takes over what the chain says', () => {
    const next = observe(charged, { ...seen, refundNonce: 2n })
    assert.deepEqual([next.totalClaimed, next.refundNonce, next.charged], [10n, 2n, 10n])
  })

  it('raises charged with a claim above it, and never lowers it (I2, I3)', () => {
    assert.equal(observe(charged, { ...seen, totalClaimed: 30n }).charged, 30n)
    assert.equal(observe(charged, { ...seen, totalClaimed: 0n }).charged, 10n)
  })

  it('is a bug when totalClaimed falls (I3)', () => {
    const claimed = observe(charged, seen)
    assert.throws(() => observe(claimed, { ...seen, totalClaimed: 9n }), { name: 'AssertionError' })
  })

  it('forgets a withdrawal that the chain no longer names', () => {
    const pending = { ...charged, pendingWithdrawal: { amount: 5n, finalizeAfter: 1n } }
    assert.equal(observe(pending, seen).pendingWithdrawal, undefined)
  })
})

describe('assertSound', () => {
  const sound = channelWith({ balance: 100n, charged: 50n, totalClaimed: 50n })
  const bug = { name: 'AssertionError' }

  it('passes a channel at its bounds (I2)', () => {
    assertSound(fresh)
    assertSound(sound)
    assertSound({ ...sound, balance: 50n })
  })

  const wrong = {
    'held below zero': { held: -1n },
    'totalClaimed below zero': { totalClaimed: -1n },
    'totalClaimed above charged': { totalClaimed: 51n },
    'totalClaimed above balance': { balance: 49n },
  }
  for (const [fault, change] of Object.entries(wrong)) {
    it(`is a bug for ${fault} (I2)`, () => {
      assert.throws(() => assertSound({ ...sound, ...change }), bug)
    })
  }
})

describe('the life of a channel', () => {
  type MoneyKind = 'deposit' | 'claim' | 'withdraw' | 'refund'
  type EndKind = 'refunded' | 'finalize'
  type Step =
    | { kind: 'basket'; added: bigint; offered: bigint }
    | { kind: MoneyKind; amount: bigint }
    | { kind: EndKind }
  const small = fc.bigInt({ min: 0n, max: 40n })
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('basket' as const),
        added: fc.bigInt({ min: 1n, max: 30n }),
        offered: fc.bigInt({ min: 0n, max: 150n }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom('deposit' as const, 'claim', 'withdraw', 'refund'),
        amount: small,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom('refunded' as const, 'finalize') }),
    },
  )
  type Ghost = {
    baskets: bigint
    ceiling: bigint
    balance: bigint
    claimed: bigint
    pending: bigint
    held: bigint
  }

  /** What the chain would say of the ghost. */
  function seenOf({ balance, claimed, pending }: Ghost) {
    const pendingWithdrawal = pending > 0n ? { amount: pending, finalizeAfter: 0n } : undefined
    return { balance, totalClaimed: claimed, pendingWithdrawal, refundNonce: 0n }
  }

  function offer(channel: Channel, basket: { added: bigint; offered: bigint }) {
    const code = refusalOf(() => assertCovered(channelAmounts(channel), basket))
    if (code !== undefined) return { code, channel }
    const next = charge(channel, { added: basket.added, proof: proofOf(basket.offered) })
    return { code, channel: next }
  }

  type Move<Kind extends Step['kind']> = (
    channel: Channel,
    ghost: Ghost,
    step: Step & { kind: Kind },
  ) => Channel

  const takeBasket: Move<'basket'> = (channel, ghost, basket) => {
    const result = offer(channel, basket)
    const money = { ...ghost, charged: ghost.baskets }
    assert.equal(result.code === undefined, oracle(money, basket))
    if (result.code !== undefined) return channel
    ghost.baskets += basket.added
    ghost.ceiling = larger(ghost.ceiling, basket.offered)
    return result.channel
  }

  const moveMoney: Move<MoneyKind> = (channel, ghost, step) => {
    const unclaimed = ghost.baskets - ghost.claimed
    const unspent = ghost.balance - ghost.baskets - ghost.held - ghost.pending
    switch (step.kind) {
      case 'deposit':
        ghost.balance += step.amount
        break
      case 'claim':
        ghost.claimed += smaller(unclaimed, step.amount)
        break
      case 'withdraw':
        ghost.pending += unspent < step.amount ? 0n : step.amount
        break
      case 'refund':
        if (unspent < step.amount) return channel
        ghost.held += step.amount
        return hold(channel, step.amount)
    }
    return observe(channel, seenOf(ghost))
  }

  const endMove: Move<EndKind> = (channel, ghost, { kind }) => {
    const freed = kind === 'refunded' ? ghost.held : 0n
    ghost.balance -= kind === 'refunded' ? ghost.held : ghost.pending
    if (kind === 'refunded') ghost.held = 0n
    else ghost.pending = 0n
    return observe(hold(channel, -freed), seenOf(ghost))
  }

  /** One step on the channel and on the ghost sums, which know nothing of each other. */
  function take(channel: Channel, ghost: Ghost, step: Step): Channel {
    if (step.kind === 'basket') return takeBasket(channel, ghost, step)
    if ('amount' in step) return moveMoney(channel, ghost, step)
    return endMove(channel, ghost, step)
  }

  holds(
    'takes exactly the baskets that the rule for money takes, and no amount falls (R1, I2, I3)',
    fc.array(step, { minLength: 1, maxLength: 60 }),
    (steps) => {
      const ghost = { baskets: 0n, ceiling: 0n, balance: 0n, claimed: 0n, pending: 0n, held: 0n }
      let channel = fresh
      for (const now of steps) {
        const before = channel
        channel = take(channel, ghost, now)
        const { ceiling, charged, held, escrowCap: cap } = channelAmounts(channel)
        assert.deepEqual(
          { ceiling, charged, held },
          { ceiling: ghost.ceiling, charged: ghost.baskets, held: ghost.held },
        )
        assertSound(channel)
        assert.ok(channel.totalClaimed <= charged && charged <= ceiling)
        assert.ok(charged + held <= cap && cap <= channel.balance)
        assert.ok(charged >= before.charged && channel.totalClaimed >= before.totalClaimed)
        assert.ok(ceiling >= (before.proof?.maxClaimableAmount ?? 0n))
      }
    },
    2_000,
  )

  const baskets = fc.array(fc.bigInt({ min: 1n, max: 9n }), { minLength: 2, maxLength: 7 })

  holds(
    'takes all baskets in any order when all are signed for the whole sum (R1)',
    baskets.chain((added) =>
      fc.tuple(fc.constant(added), fc.shuffledSubarray(added, { minLength: added.length })),
    ),
    ([added, shuffled]) => {
      const sum = added.reduce((total, amount) => total + amount, 0n)
      const start = channelWith({ balance: sum })
      const ends = [added, shuffled].map((order) =>
        order.reduce((channel, amount) => {
          const result = offer(channel, { added: amount, offered: sum })
          assert.equal(result.code, undefined)
          return result.channel
        }, start),
      )
      for (const { charged } of ends) assert.equal(charged, sum)
      const [end] = ends
      assert.ok(end)
      assert.equal(offer(end, { added: 1n, offered: maxAmount }).code, 'deposit_exceeded')
    },
  )

  it('takes a basket after one with a higher maximum, because a voucher stays good (R1)', () => {
    const start = channelWith({ balance: 100n })
    const higher = offer(start, { added: 5n, offered: 10n })
    const lower = offer(higher.channel, { added: 5n, offered: 5n })
    assert.deepEqual([higher.code, lower.code, lower.channel.charged], [undefined, undefined, 10n])
  })

  it('refuses the second of two baskets that were signed from one base (R3)', () => {
    const start = channelWith({ balance: 100n })
    const first = offer(start, { added: 5n, offered: 5n })
    const second = offer(first.channel, { added: 4n, offered: 4n })
    assert.equal(second.code, 'ceiling_too_low')
    assert.equal(offer(first.channel, { added: 4n, offered: 9n }).code, undefined)
  })
})
