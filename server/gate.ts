// Whether payments are taken: not before the hub is up to date, while it runs well, and not any more once it must not.

import { HubError } from '#protocol/errors.ts'

export type Gate = ReturnType<typeof createGate>

/** Payments are taken while the gate is open; whoever lets them wait, or closes it, says why. */
export function createGate() {
  let waiting: string | undefined = 'the hub is starting'
  let closed: string | undefined
  return {
    isOpen: () => waiting === undefined && closed === undefined,
    /** Opens, unless it was closed. */
    open() {
      waiting = undefined
    },
    /** Until it is opened. */
    wait(reason: string) {
      waiting = reason
    },
    /** For good: only another start opens. */
    close(reason: string) {
      closed ??= reason
    },
    assertOpen() {
      const reason = closed ?? waiting
      if (reason !== undefined) throw new HubError('stopping', reason)
    },
  }
}
