// How much a WebSocket may ask for.

/**
 * `connections` in all and `perAddress`; a frame of at most `frameBytes`; `unanswered` baskets before reading pauses;
 * `unsentBytes` before a slow reader is dropped; a `heartbeatMs` without an answer to the one before ends a connection.
 */
export const socketLimits = {
  connections: 10_000,
  perAddress: 1_000,
  frameBytes: 512 * 1024,
  unanswered: 1_024,
  unsentBytes: 4 * 1024 * 1024,
  heartbeatMs: 30_000,
} as const
