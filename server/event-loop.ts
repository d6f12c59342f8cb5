// How long the event loop keeps everybody waiting.

import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Seconds, over the last whole interval: the 99th percentile and the longest. */
export type LoopDelay = { p99: number; longest: number }

export type EventLoop = {
  /** Of the last interval that is over, or of the present one when it is the first. */
  delay(): LoopDelay
  stop(): void
}

/** How often the timer looks, which is as exact as it gets, and how long an interval is, in milliseconds. */
const resolutionMs = 2
const intervalMs = 10_000

export function watchEventLoop(): EventLoop {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  let last: LoopDelay | undefined
  histogram.enable()
  const timer = setInterval(() => {
    last = read()
    histogram.reset()
  }, intervalMs)
  timer.unref()

  return {
    delay: () => larger(last, read()),
    stop() {
      clearInterval(timer)
      histogram.disable()
    },
  }

  /** What is measured is the time between two looks; what is above the resolution is delay. */
  function read(): LoopDelay {
    return { p99: seconds(histogram.percentile(99)), longest: seconds(histogram.max) }
  }
}

/** A block that has just happened is told before its interval is over. */
function larger(last: LoopDelay | undefined, now: LoopDelay): LoopDelay {
  if (!last) return now
  return { p99: last.p99, longest: Math.max(last.longest, now.longest) }
}

function seconds(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - resolutionMs / 1_000)
}
