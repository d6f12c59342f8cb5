// Whether payments are taken: open while the hub runs well, closed with a reason before, after, and when it must not.

import { HubError } from '#protocol/errors.ts'

/** Payments are taken while the gate is open; whoever closes it says why. */
export function createGate() {
  let closed: string | undefined = 'the hub is starting'
  return {
    isOpen: () => closed === undefined,
    open() {
      closed = undefined
    },
    close(reason: string) {
      closed = reason
    },
    assertOpen() {
      if (closed !== undefined) throw new HubError('stopping', closed)
    },
  }
}
