// How much a WebSocket may ask for.

/**
 * `connections` in all and `perSender`; a frame of at most `frameBytes`; `unanswered` baskets before reading pauses, or
 * `unansweredInCrowd` while many wait;
 * `unsentBytes` before a slow reader is dropped; a `heartbeatMs` without an answer to the one before ends a connection.
 * Texts, pings and pongs are `noise`, and a refusal is a little of it: `burst` at once, and so many more each second; then the
 * connection ends, and its sender is blamed as for so many wrong signatures. A connection is read for `lingerMs` after its end.
 */
export const socketLimits = {
  connections: 10_000,
  perSender: 1_000,
  frameBytes: 512 * 1024,
  unanswered: 1_024,
  unansweredInCrowd: 32,
  unsentBytes: 4 * 1024 * 1024,
  heartbeatMs: 30_000,
  noise: { burst: 256, perSecond: 50, refusal: 0.1, blame: 400 },
  lingerMs: 1_000,
} as const
