import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address } from 'viem'
import { randomHash } from '../testing/disk.ts'
import { openTowerStore } from './store.ts'

const hubAccount: Address = `0x${'c1'.repeat(20)}`
const former: Address = `0x${'0a'.repeat(20)}`
const next: Address = `0x${'0b'.repeat(20)}`

describe('openTowerStore', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jandon-tower-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('keeps the attempts of each claimer apart, because each counts its own nonces (R30, R33)', async () => {
    const store = await openTowerStore(folder, { chainId: 1, hubAccount, newId: randomHash })
    const attempt = {
      ...{ nonce: 0, hash: randomHash(), raw: randomHash(), at: 1 },
      ...{ maxFeePerGas: 9n, maxPriorityFeePerGas: 1n },
    }
    await store.keepAttempt(former, attempt)
    assert.deepEqual(store.attempt(former, 0), attempt)
    assert.equal(store.attempt(next, 0), undefined)
    await store.close()
  })
})
