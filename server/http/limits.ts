// How much one request, one connection and one sender may ask for.

/** The largest body, in bytes: a basket of 256 tips, each with the longest message. */
export const maxBodyBytes = 512 * 1024

/** The largest body of `POST /v1/sync`, in bytes: such a basket with its receipt. */
export const maxSyncBytes = 2 * 1024 * 1024

/** A body that is too large is read to its end up to here, in bytes, so that its sender hears why it was refused. */
export const maxDiscardedBytes = 4 * 1024 * 1024

/** How many items a list answers with at most. */
export const pageSize = 100

/**
 * Of one connection: `headerBytes` and `headers` of a request, requests that may be `unanswered` at once, how long it may
 * be `idleMs` between requests, or `stuckMs` without a byte moving, and how long it is kept `lingerMs` after a last answer.
 */
export const perConnection = {
  headerBytes: 16 * 1024,
  headers: 100,
  unanswered: 16,
  idleMs: 15_000,
  stuckMs: 60_000,
  lingerMs: 1_000,
  checkMs: 500,
} as const

/** How long whoever owes for bad signatures waits for the answer that says so, in milliseconds. */
export const heldBackMs = 1_000
