// Online backups over HTTP: one at a time, at the pace of whoever takes it.

import type { ServerResponse } from 'node:http'
import { HubError } from '#protocol/errors.ts'
import { sendPieces } from '../http/send.ts'
import type { Database } from '../store/table.ts'
import { encodeBackup } from './format.ts'

export type Backups = {
  /**
   * Sends a backup as the answer. Whoever gets it knows that it is whole by its end record, not by the end of the answer.
   *
   * @throws HubError `too_many_requests` while another one is being sent.
   */
  send(response: ServerResponse): Promise<void>
}

export function createBackups({ db, now }: { db: Database; now: () => number }): Backups {
  let isRunning = false
  return {
    async send(response) {
      if (isRunning) throw new HubError('too_many_requests', 'a backup is being made already')
      isRunning = true
      try {
        response.writeHead(200, {
          'content-type': 'application/octet-stream',
          'cache-control': 'no-store',
        })
        await sendPieces(response, encodeBackup(db, now))
      } finally {
        isRunning = false
      }
    },
  }
}
