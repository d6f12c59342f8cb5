// Long work in short turns, so that nobody waits for the event loop.

export type Pace = { step(): Promise<void> }

/** Lets steps of many tasks through one after the other, one for each round of the event loop. */
export function createPace(): Pace {
  const waiting: (() => void)[] = []

  return {
    step() {
      if (waiting.length === 0) setImmediate(letOneThrough)
      return new Promise((go) => {
        waiting.push(go)
      })
    },
  }

  function letOneThrough() {
    waiting.shift()?.()
    if (waiting.length > 0) setImmediate(letOneThrough)
  }
}

/** How long one turn may take, in milliseconds. */
const turnMs = 5

/** Resolves after what else is due has had its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Works through items, and lets others have a turn whenever one is over. */
export async function inTurns<T>(items: Iterable<T>, work: (item: T) => void): Promise<void> {
  let until = performance.now() + turnMs
  for (const item of items) {
    work(item)
    if (performance.now() < until) continue
    await nextTurn()
    until = performance.now() + turnMs
  }
}
