// Work that no request waits for: loops, and tasks that are tried again until they are done or the hub stops.

export type Runner = {
  /** Runs a task now, and again after a pause for as long as it fails. It must be able to go on where it stopped. */
  background(name: string, work: () => Promise<void>): void
  /** Runs a round of work again and again with a pause between. */
  loop(name: string, round: () => Promise<void>, pauseMs: number): void
  stop(): void
}

export function createRunner({
  logFailure,
  pauseMs,
}: {
  logFailure: (what: string, cause: unknown) => void
  pauseMs: number
}): Runner {
  const timers = new Set<NodeJS.Timeout>()
  let stopped = false

  return {
    background: (name, work) => run(name, work, { again: undefined }),
    loop: (name, round, again) => run(name, round, { again }),
    stop() {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
    },
  }

  /** `again` is the pause after success; without one, success ends it. */
  function run(name: string, work: () => Promise<void>, { again }: { again: number | undefined }) {
    work().then(
      () => (again === undefined ? undefined : later(again)),
      (cause: unknown) => {
        if (stopped) return
        logFailure(name, cause)
        later(again ?? pauseMs)
      },
    )

    function later(delay: number) {
      if (stopped) return
      const timer = setTimeout(() => {
        timers.delete(timer)
        run(name, work, { again })
      }, delay)
      timers.add(timer)
    }
  }
}
