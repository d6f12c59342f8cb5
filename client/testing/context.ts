// A context for tests of what needs no hub: real parts, a clock that stands still, and a network that is down.

import type { Context } from '../context.ts'
import { createHubApi } from '../hub-api.ts'
import { createMemoryStore } from '../store.ts'
import { hub, payer } from './hub-paper.ts'

export function offlineContext(): Context {
  let drawn = 0
  return {
    account: payer,
    voucherKey: payer,
    api: createHubApi({
      hubUrl: hub.origin,
      fetch: () => Promise.reject(new TypeError('the network is down')),
    }),
    store: createMemoryStore(),
    hubKey: undefined,
    rpcUrl: undefined,
    maxUnreceipted: undefined,
    now: () => 1_000_000,
    wait: async () => undefined,
    random: (bytes) => new Uint8Array(bytes).fill(++drawn),
    notice: () => undefined,
    memory: { accounts: new Map() },
  }
}
