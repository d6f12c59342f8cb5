// The ticks of a group that is not closed yet: of each stream the newest, and one promise for all who wait for them.

import type { HubError } from '#protocol/errors.ts'
import type { StreamTicks } from './tick-codec.ts'

/** The newest ticks of each stream in a group, and who waits for them. */
export type GroupTicks = {
  newest: Map<number, StreamTicks>
  written: Promise<void>
  done: () => void
  failed: (error: HubError) => void
}

export function newTicks(): GroupTicks {
  let settle: Pick<GroupTicks, 'done' | 'failed'> | undefined
  const written = new Promise<void>((done, failed) => {
    settle = { done, failed }
  })
  return {
    newest: new Map(),
    written,
    done: () => settle?.done(),
    failed: (error) => settle?.failed(error),
  }
}
