// Answers of any length, at the pace of whoever takes them.

import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Sends pieces as the body of an answer, no faster than they are read. Whoever hangs up has had enough. */
export async function sendPieces(
  response: ServerResponse,
  pieces: AsyncIterable<Uint8Array | string>,
): Promise<void> {
  try {
    await pipeline(Readable.from(pieces, { objectMode: false }), response)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw cause
  }
}
