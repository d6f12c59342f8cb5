import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { encodeAbiParameters, hashTypedData, keccak256 } from 'viem'
import { channelsDomain, channelsDomainSeparator } from './channel.ts'
import { amounts, hashes, holds } from './testing/arbitrary.ts'
import type { TickCommitment } from './tick.ts'
import {
  createTickChain,
  tickCommitmentDigest,
  tickCommitmentTypes,
  tickedAmount,
  tickFault,
} from './tick.ts'

const contract = { chainId: 31_337, address: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003' } as const
const separator = channelsDomainSeparator(contract)
const seed: Hex = `0x${'5e'.repeat(32)}`
const base = { channelId: `0x${'c1'.repeat(32)}`, baseAmount: 700n } as const
const none: Hex = `0x${'00'.repeat(32)}`

/** A link as PROTOCOL.md states it, with viem's functions. */
function linkOf(preimage: Hex, { channelId, baseAmount }: { channelId: Hex; baseAmount: bigint }) {
  const types = [{ type: 'bytes32' }, { type: 'bytes32' }, { type: 'uint256' }] as const
  return keccak256(encodeAbiParameters(types, [preimage, channelId, baseAmount]))
}

function stream(change: Partial<TickCommitment> = {}) {
  const terms = { ...base, to: none, tickAmount: 5n, maxTicks: 100, ...change }
  const chain = createTickChain(seed, terms)
  const commitment: TickCommitment = { ...terms, root: chain.root, ...change }
  const start = { ticks: 0, preimage: commitment.root }
  const at = (ticks: number) => ({ ticks, preimage: chain.preimage(ticks) })
  return { chain, commitment, start, at }
}

describe('tickCommitmentDigest', () => {
  const commitments = fc.record({
    channelId: hashes,
    to: hashes,
    baseAmount: amounts,
    tickAmount: amounts,
    maxTicks: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    root: hashes,
  })
  holds("equals viem's typed-data hash", commitments, (message) => {
    const domain = channelsDomain(contract)
    const typed = { domain, types: tickCommitmentTypes, primaryType: 'TickCommitment' } as const
    assert.equal(tickCommitmentDigest(message, separator), hashTypedData({ ...typed, message }))
  })
  holds('differs by domain', commitments, (commitment) => {
    const elsewhere = channelsDomainSeparator({ ...contract, chainId: 1 })
    assert.notEqual(
      tickCommitmentDigest(commitment, elsewhere),
      tickCommitmentDigest(commitment, separator),
    )
  })
})

describe('createTickChain', () => {
  const chains = fc.record({
    seed: hashes,
    channelId: hashes,
    baseAmount: amounts,
    maxTicks: fc.integer({ min: 1, max: 80 }),
  })
  holds(
    'gives a preimage for each tick, each a link before the one of the tick before',
    chains,
    (terms) => {
      const chain = createTickChain(terms.seed, terms)
      assert.equal(chain.preimage(0), chain.root)
      for (let ticks = 1; ticks <= terms.maxTicks; ticks += 1) {
        assert.equal(linkOf(chain.preimage(ticks), terms), chain.preimage(ticks - 1))
      }
      assert.equal(chain.preimage(terms.maxTicks), terms.seed)
    },
    100,
  )
  const orders = fc.array(fc.integer({ min: 0, max: 1024 }), { maxLength: 20 })
  holds(
    'gives the same preimages in any order',
    orders,
    (order) => {
      const terms = { ...base, maxTicks: 1024 }
      const [chain, fresh] = [createTickChain(seed, terms), createTickChain(seed, terms)]
      const asked = order.map((ticks) => [ticks, chain.preimage(ticks)])
      const sorted = [...order].sort((a, b) => a - b)
      const expected = new Map(sorted.map((ticks) => [ticks, fresh.preimage(ticks)]))
      for (const [ticks, preimage] of asked) {
        assert.equal(preimage, expected.get(Number(ticks)))
      }
    },
    20,
  )
  it('refuses chains of no tick, of more than 1,024 and of parts of one', () => {
    for (const maxTicks of [0, -1, 1025, 1.5, Number.NaN]) {
      assert.throws(() => createTickChain(seed, { ...base, maxTicks }), RangeError)
    }
    createTickChain(seed, { ...base, maxTicks: 1024 })
  })
  it('refuses a seed of another length', () => {
    for (const other of ['0x', `0x${'5e'.repeat(31)}`, `0x${'5e'.repeat(33)}`] as const) {
      assert.throws(() => createTickChain(other, { ...base, maxTicks: 1 }), RangeError)
    }
  })
  it('refuses ticks that the chain does not have', () => {
    const { chain } = stream()
    for (const ticks of [-1, 101, 0.5]) assert.throws(() => chain.preimage(ticks), RangeError)
  })
})

describe('tickFault', () => {
  const walks = fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 10 })
  holds(
    'takes steps and jumps forward',
    walks,
    (stops) => {
      const { commitment, start, at } = stream()
      let known = start
      for (const ticks of [...stops].sort((a, b) => a - b)) {
        assert.equal(tickFault(at(ticks), known, commitment), undefined)
        known = at(ticks)
      }
    },
    50,
  )
  it('refuses the same ticks again, and fewer', () => {
    const { commitment, at } = stream()
    for (const ticks of [7, 6, 0, -1]) {
      const claim = { ticks, preimage: at(7).preimage }
      assert.equal(tickFault(claim, at(7), commitment), 'not_forward')
    }
  })
  it('refuses a jump past the commitment', () => {
    const { commitment, start, chain } = stream({ maxTicks: 10 })
    const claim = { ticks: 10, preimage: chain.preimage(10) }
    assert.equal(tickFault(claim, start, commitment), undefined)
    assert.equal(tickFault({ ...claim, ticks: 11 }, start, commitment), 'beyond_commitment')
  })
  it('refuses more than 1,024 ticks whatever was committed to, and parts of one', () => {
    const { commitment, start } = stream()
    const endless = { ...commitment, maxTicks: 2 ** 32 - 1 }
    for (const ticks of [1025, 2 ** 31, Number.POSITIVE_INFINITY, 1.5]) {
      assert.equal(tickFault({ ticks, preimage: seed }, start, endless), 'beyond_commitment')
    }
  })
  it('refuses junk, and preimages of another length', () => {
    const { commitment, start, chain } = stream()
    const padded: Hex = `${chain.preimage(1)}00`
    const cut: Hex = `0x${chain.preimage(1).slice(4)}`
    for (const preimage of [none, seed, chain.preimage(2), padded, cut, '0x'] as const) {
      assert.equal(tickFault({ ticks: 1, preimage }, start, commitment), 'wrong_preimage')
    }
  })
  it('refuses the right preimage for another number of ticks', () => {
    const { commitment, start, chain } = stream()
    const claim = { ticks: 4, preimage: chain.preimage(3) }
    assert.equal(tickFault(claim, start, commitment), 'wrong_preimage')
  })
  for (const [what, change] of [
    ['channel', { channelId: none }],
    ['base', { baseAmount: base.baseAmount + 1n }],
  ] as const) {
    it(`refuses the preimages of a root that is committed to again in another ${what}`, () => {
      const { commitment, start, at } = stream()
      const again = { ...commitment, ...change }
      assert.equal(tickFault(at(1), start, commitment), undefined)
      assert.equal(tickFault(at(1), start, again), 'wrong_preimage')
    })
  }
})

describe('tickedAmount', () => {
  it('counts from the base, so that two commitments on one base do not add up (R21)', () => {
    const { commitment } = stream()
    assert.equal(tickedAmount(commitment, 0), 700n)
    assert.equal(tickedAmount(commitment, 3), 715n)
    assert.equal(tickedAmount({ ...commitment, tickAmount: 6n }, 3), 718n)
  })
})
