// The client's memory: what it signed and what was proved to it. One store belongs to one wallet at one hub.

/**
 * Where records are kept, as texts under keys of a–z, 0–9, `_`, `-` and `/`.
 *
 * A `put` has survived a crash when its promise resolves. `exclusive` runs one piece of work at a time among everybody who
 * uses the same store, so that no two baskets are signed from one base by accident.
 */
export type Store = {
  get(key: string): Promise<string | undefined>
  put(key: string, text: string): Promise<void>
  remove(key: string): Promise<void>
  /** The keys that begin with `prefix`, in order. */
  keys(prefix: string): Promise<string[]>
  exclusive<T>(work: () => Promise<T>): Promise<T>
}

/** A store that lives as long as the program: for tests, and for pages that start over at each visit. */
export function createMemoryStore(): Store {
  const texts = new Map<string, string>()
  let last: Promise<unknown> = Promise.resolve()
  return {
    get: async (key) => texts.get(key),
    put: async (key, text) => {
      texts.set(key, text)
    },
    remove: async (key) => {
      texts.delete(key)
    },
    keys: async (prefix) => [...texts.keys()].filter((key) => key.startsWith(prefix)).sort(),
    exclusive: (work) => {
      const turn = last.then(work)
      // The failure is the caller's; the next one only waits for the end.
      last = turn.catch(() => undefined)
      return turn
    },
  }
}
