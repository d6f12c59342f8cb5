// A store whose program dies: the n-th write and everything after it fails, what was put before stays.

import type { Store } from '../store.ts'

export class Crash extends Error {}

/** `store` as a program sees it that dies at its `lastWrite`-th write (0 is the first). */
export function crashingAt(store: Store, lastWrite: number): Store {
  let writes = 0
  const write = async (work: () => Promise<void>) => {
    if (writes >= lastWrite) throw new Crash(`the program died at write ${lastWrite}`)
    writes += 1
    await work()
  }
  return {
    ...store,
    put: (key, text) => write(() => store.put(key, text)),
    remove: (key) => write(() => store.remove(key)),
  }
}
