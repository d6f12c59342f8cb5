// What each of the crew is told to do, and what it tells afterwards.

import type { BenchChannel } from '../../bench/channels.ts'

/** `url` is the hub's. Rates are baskets a second in all. */
export type Plan =
  | { role: 'honest'; url: string; channels: BenchChannel[]; rate: number; seconds: number }
  | { role: 'surge'; url: string; channels: BenchChannel[]; rate: number; seconds: number }
  | { role: 'forgers'; url: string; channels: BenchChannel[]; rate: number }
  | { role: 'loris'; url: string; connections: number }
  | { role: 'bodies'; url: string; connections: number }
  | { role: 'flooders'; url: string; connections: number }
  | { role: 'viewers'; url: string; token: string; count: number }

export type PlanOf<R extends Plan['role']> = Extract<Plan, { role: R }>

/** Figures of one phase, by name; times in milliseconds. */
export type Report = { [figure: string]: number }

export type Role = {
  /** Begins a new phase and tells of the one that ends. */
  next(): Report
}

/** How often those who send at a rate look what is due, in milliseconds. */
export const paceMs = 4

/** Calls `send` with how many are due, again and again. */
export function atRate(rate: number, send: (due: number) => void) {
  const began = performance.now()
  let sent = 0
  setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1_000) * rate) - sent
    if (due <= 0) return
    sent += due
    send(due)
  }, paceMs)
}

/** An address of this machine that only `number` has. */
export function loopback(number: number): string {
  return `127.${1 + ((number >> 16) % 250)}.${(number >> 8) & 255}.${1 + (number % 254)}`
}

export function socketUrl(url: string): string {
  return `${url.replace('http:', 'ws:')}/v1/socket`
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
