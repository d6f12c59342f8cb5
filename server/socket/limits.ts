// How much a WebSocket may ask for.

/**
 * `connections` in all and `perSender`; a frame of at most `frameBytes`; `unanswered` baskets before reading pauses;
 * `unsentBytes` before a slow reader is dropped; a `heartbeatMs` without an answer to the one before ends a connection.
 * Texts, refusals and pings are `noise`: so many at once, and so many more each second, before the connection ends.
 */
export const socketLimits = {
  connections: 10_000,
  perSender: 1_000,
  frameBytes: 512 * 1024,
  unanswered: 1_024,
  unsentBytes: 4 * 1024 * 1024,
  heartbeatMs: 30_000,
  noise: { burst: 4_096, perSecond: 200 },
  lingerMs: 1_000,
} as const
