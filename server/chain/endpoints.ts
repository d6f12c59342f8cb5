// The ways to the chain: several RPC endpoints, of which one that fails, hangs, lags or contradicts itself is put aside for a while.

import type { PublicClient } from 'viem'
import { BaseError, RpcRequestError } from 'viem'

/** One endpoint. `name` can be shown: the address itself often holds a secret. */
export type Endpoint = { name: string; client: PublicClient }

/** An endpoint that cannot be believed or used now, for a reason that does not concern the others. */
export class EndpointFault extends Error {}

export type Endpoints = {
  /** All that are not put aside, in the order of the configuration; when all are, all, the one that is free first in front. */
  usable(): Endpoint[]
  putAside(endpoint: Endpoint, reason: string): void
  /** It did well: the next time that it is put aside is short again. */
  worked(endpoint: Endpoint): void
  /** How many are put aside at this moment. */
  asideCount(): number
}

/** The first pause of an endpoint, and its longest: each is twice the one before. Milliseconds. */
const firstPauseMs = 1_000
const longestPauseMs = 60_000

export function createEndpoints(
  all: readonly Endpoint[],
  {
    now,
    onAside = () => undefined,
  }: { now: () => number; onAside?: (endpoint: Endpoint, reason: string) => void },
): Endpoints {
  const aside = new Map<Endpoint, { until: number; pauseMs: number }>()
  const untilOf = (endpoint: Endpoint) => aside.get(endpoint)?.until ?? 0
  const isFree = (endpoint: Endpoint) => untilOf(endpoint) <= now()

  return {
    usable() {
      const free = all.filter(isFree)
      return free.length > 0 ? free : [...all].sort((a, b) => untilOf(a) - untilOf(b))
    },
    putAside(endpoint, reason) {
      const pauseMs = Math.min(
        (aside.get(endpoint)?.pauseMs ?? firstPauseMs / 2) * 2,
        longestPauseMs,
      )
      if (isFree(endpoint)) onAside(endpoint, reason)
      aside.set(endpoint, { until: now() + pauseMs, pauseMs })
    },
    worked(endpoint) {
      aside.delete(endpoint)
    },
    asideCount: () => all.filter((endpoint) => !isFree(endpoint)).length,
  }
}

/**
 * Sends a request to one endpoint after the other until one answers. An answer that says no, such as a revert, is an answer.
 *
 * @throws what the last one failed with.
 */
export async function requestAnywhere(
  endpoints: Endpoints,
  request: { method: string; params?: unknown },
): Promise<unknown> {
  let failure: unknown
  for (const endpoint of endpoints.usable()) {
    try {
      return await endpoint.client.request(request as Parameters<PublicClient['request']>[0])
    } catch (cause) {
      if (!isUnanswered(cause)) throw cause
      endpoints.putAside(endpoint, reasonOf(cause))
      failure = cause
    }
  }
  throw failure
}

/** Whether a failure says that another endpoint may do better: nothing came back, or nothing that can be believed. */
export function isEndpointTrouble(cause: unknown): cause is Error {
  return cause instanceof EndpointFault || cause instanceof BaseError
}

/** In one line, and without the endpoint's address. */
export function reasonOf(cause: unknown): string {
  if (cause instanceof BaseError) return cause.shortMessage
  return cause instanceof Error ? cause.message : String(cause)
}

/** Whether a node answered with an error of its own. */
export function isRpcAnswer(cause: unknown): boolean {
  return (
    cause instanceof BaseError && cause.walk((inner) => inner instanceof RpcRequestError) !== null
  )
}

/** Codes by which a provider says "too much", which another may not. */
const limitCodes: ReadonlySet<unknown> = new Set([-32_005, -32_097, 429])

function isUnanswered(cause: unknown): boolean {
  if (!(cause instanceof BaseError)) return false
  if (!isRpcAnswer(cause)) return true
  return cause.walk((inner) => limitCodes.has((inner as { code?: unknown }).code)) !== null
}
