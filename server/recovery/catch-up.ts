// What has to come first after a restore, before payments are taken: what was claimed meanwhile, and what the watchtower saw.

import type { Follower } from '../chain/follower.ts'
import type { MoneyLock } from './lock.ts'

export type CatchUp = {
  /** Whether the chain was booked up to where it was when the hub first saw it after the restore. */
  isBooked(): boolean
  /** Whether payments wait for the watchtower: one that is taken before would be mistaken for one that the tower saw. */
  waitsForTower(): boolean
  /** Why payments wait, if they do. To be asked once the chain was seen. */
  reasonToWait(): string | undefined
}

/** `isCompared` tells whether the hub's books were compared with those of its watchtower; a hub without one has nothing to compare. */
export function createCatchUp({
  lock,
  follower,
  isCompared,
}: {
  lock: Pick<MoneyLock, 'current'>
  follower: Pick<Follower, 'cursor' | 'target'>
  isCompared: () => boolean
}): CatchUp {
  let block = lock.current() ? undefined : 0n
  const isBooked = () => block !== undefined && follower.cursor() >= block
  const waitsForTower = () => lock.current()?.reason === 'restored' && !isCompared()
  return {
    isBooked,
    waitsForTower,
    reasonToWait() {
      block ??= follower.target()
      if (!isBooked()) return `the hub was restored and waits until block ${block} is final`
      return waitsForTower() ? 'the hub was restored and waits for its watchtower' : undefined
    },
  }
}
