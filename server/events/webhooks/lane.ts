// A limit on how many things go on at once; those that wait come first come, first served.

export type Lane = {
  /** Resolves when there is room, with what gives the room back. */
  enter(): Promise<() => void>
}

export function createLane(places: number): Lane {
  let free = places
  const waiting: (() => void)[] = []

  function leave() {
    const next = waiting.shift()
    if (next) next()
    else free += 1
  }

  return {
    async enter() {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      return leave
    },
  }
}
