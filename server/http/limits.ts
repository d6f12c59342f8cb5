// How much one request may ask for.

/** The largest body, in bytes: a basket of 256 tips, each with the longest message. */
export const maxBodyBytes = 512 * 1024

/** How many items a list answers with at most. */
export const pageSize = 100
