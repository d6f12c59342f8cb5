// A year under one policy in a thread of its own: tells each day that is over, and then the year.

import { parentPort, workerData } from 'node:worker_threads'
import type { Scenario, Year } from './year.ts'
import { simulateYear } from './year.ts'

/** `stop` holds a number that all threads share: 1 when they are to end with the day. */
export type Order = { scenario: Scenario; settings: NodeJS.ProcessEnv; stop: Int32Array }
export type News = { day: number } | { year: Year }

const { scenario, settings, stop } = workerData as Order
const stopped = new Error('stopped')
const tell = (news: News) => parentPort?.postMessage(news)
try {
  const year = simulateYear(scenario, settings, (day) => {
    if (Atomics.load(stop, 0) === 1) throw stopped
    tell({ day })
  })
  tell({ year })
} catch (cause) {
  if (cause !== stopped) throw cause
}
