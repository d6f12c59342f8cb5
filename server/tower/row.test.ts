import assert from 'node:assert/strict'
import type { Hex } from 'viem'
import { toJson } from '#protocol/messages/wire.ts'
import type { TicksProof, VoucherProof } from '../channels/channel.ts'
import { randomHash } from '../testing/disk.ts'
import type { TowerRow } from './row.ts'
import { feedRequest, mergeRows, owedOn, rowsPerMessage } from './row.ts'

const signature: Hex = `0x${'5a'.repeat(65)}`
const config = {
  payer: `0x${'01'.repeat(20)}`,
  payerAuthorizer: `0x${'02'.repeat(20)}`,
  receiver: `0x${'03'.repeat(20)}`,
  receiverAuthorizer: `0x${'04'.repeat(20)}`,
  token: `0x${'05'.repeat(20)}`,
  withdrawDelay: 86_400,
  salt: randomHash(),
} as const

function voucher(maxClaimableAmount: bigint): VoucherProof {
  return { kind: 'voucher', maxClaimableAmount, tipsHash: randomHash(), signature }
}

/** Ticks of 10 each from a base. */
function ticked(baseAmount: bigint, ticks: number): TicksProof {
  const root = randomHash()
  const terms = { channelId: randomHash(), to: randomHash(), baseAmount, tickAmount: 10n, root }
  return {
    kind: 'ticks',
    maxClaimableAmount: baseAmount + 10n * BigInt(ticks),
    commitment: { ...terms, maxTicks: 100 },
    signature,
    ticks,
    preimage: randomHash(),
  }
}

function row(charged: bigint, changes: Partial<TowerRow> = {}): TowerRow {
  return { config, charged, proof: voucher(charged || 1n), stream: null, ...changes }
}

describe('owedOn', () => {
  it('is what was charged, under the proof of the ceiling (R4)', () => {
    const proof = voucher(100n)
    assert.deepEqual(owedOn(row(60n, { proof })), { total: 60n, proof })
  })
  it('is what a stream ticked on top, under whichever proof reaches further', () => {
    const stream = ticked(60n, 4)
    assert.deepEqual(owedOn(row(60n, { stream })), { total: 100n, proof: stream })
    const proof = voucher(500n)
    assert.deepEqual(owedOn(row(60n, { stream, proof })), { total: 100n, proof })
  })
  it('never exceeds what its proof makes claimable', () => {
    const stream = ticked(60n, 4)
    assert.equal(owedOn(row(90n, { stream, proof: voucher(90n) }))?.total, 100n)
  })
  it('is nothing where nothing was charged', () => {
    assert.equal(owedOn(row(0n)), undefined)
    assert.equal(owedOn(row(0n, { proof: null })), undefined)
  })
})

describe('mergeRows', () => {
  it('keeps the highest of what was charged and of the proofs, in whichever order they come (I3)', () => {
    const [low, high] = [row(60n), row(70n, { proof: voucher(200n) })]
    for (const merged of [mergeRows(low, high), mergeRows(high, low)]) {
      assert.equal(merged.charged, 70n)
      assert.equal(merged.proof, high.proof)
    }
  })
  it('keeps the stream of the newer row: the one that charged more, else the one that ticked more', () => {
    const [before, after] = [ticked(60n, 4), ticked(60n, 5)]
    const [early, later] = [row(60n, { stream: before }), row(60n, { stream: after })]
    for (const merged of [mergeRows(early, later), mergeRows(later, early)])
      assert.equal(merged.stream, after)
    const ended = row(110n)
    for (const merged of [mergeRows(later, ended), mergeRows(ended, later)])
      assert.equal(merged.stream, null)
  })
})

describe('feedRequest', () => {
  const parse = (rows: readonly TowerRow[]) => feedRequest.parse(JSON.parse(toJson({ rows }))).rows

  it('takes rows as they were told', () => {
    const rows = [row(60n, { stream: ticked(60n, 4) }), row(0n, { proof: null })]
    assert.deepEqual(parse(rows), rows)
  })
  it('takes as many as one message holds, and not one more', () => {
    const rows = Array.from({ length: rowsPerMessage }, () => row(1n))
    assert.equal(parse(rows).length, rowsPerMessage)
    assert.throws(() => parse([...rows, row(1n)]))
  })
})
