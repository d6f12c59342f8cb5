// How much one request may ask for.

/** The largest body, in bytes: a basket of 256 tips, each with the longest message. */
export const maxBodyBytes = 512 * 1024

/** The largest body of `POST /v1/sync`, in bytes: such a basket with its receipt. */
export const maxSyncBytes = 2 * 1024 * 1024

/** A body that is too large is read to its end up to here, in bytes, so that its sender hears why it was refused. */
export const maxDiscardedBytes = 4 * 1024 * 1024

/** How many items a list answers with at most. */
export const pageSize = 100
