import assert from 'node:assert/strict'
import { retryPause } from './retry.ts'

const policy = { attempts: 10, firstPauseMs: 5_000, longestPauseMs: 43_200_000 }

const pauses = (fraction: number) =>
  Array.from({ length: 10 }, (_, failures) => retryPause(failures + 1, { policy, fraction }))

describe('retryPause', () => {
  it('grows fourfold from the first pause to the longest, and ends after the last attempt', () => {
    assert.deepEqual(pauses(1), [
      ...[5_000, 20_000, 80_000, 320_000, 1_280_000, 5_120_000, 20_480_000],
      ...[43_200_000, 43_200_000, undefined],
    ])
  })

  it('is by chance between half of that and all of it', () => {
    assert.deepEqual(pauses(0).slice(0, 3), [2_500, 10_000, 40_000])
    assert.deepEqual(pauses(0.5).slice(0, 3), [3_750, 15_000, 60_000])
  })

  it('is none when there is one attempt only', () => {
    assert.equal(retryPause(1, { policy: { ...policy, attempts: 1 }, fraction: 0 }), undefined)
  })
})
