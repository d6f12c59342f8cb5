// Names by DNS alone. Not by the system's lookup, which occupies the threads that the data directory is written with for as
// long as a dead name server does not answer.

import { Resolver } from 'node:dns/promises'
import type { Resolve } from './target.ts'

const queryMs = 2_000
const queryTries = 2

/** Codes of an answer that says there is no such address. */
const noAddress = ['ENODATA', 'ENOTFOUND']

export function createResolve(): Resolve {
  const resolver = new Resolver({ timeout: queryMs, tries: queryTries })
  return async (name) => {
    const found = await Promise.all([
      resolver.resolve4(name).catch(noneIfAbsent),
      resolver.resolve6(name).catch(noneIfAbsent),
    ])
    return found.flat()
  }
}

function noneIfAbsent(cause: unknown): string[] {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (typeof code === 'string' && noAddress.includes(code)) return []
  throw cause
}
