// The watchtower as a process: reads the environment, opens the tower, listens, and stops in order.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toJson } from '#protocol/messages/wire.ts'
import { describeTowerSettings, readTowerConfig } from './config.ts'
import { openTower } from './tower.ts'

const help = `usage: jandon tower

Runs a watchtower: keeps what its hub tells it, and claims before a withdrawal can be finalised, whether or not the hub is
there. Its key can only claim toward the vault. Prints {"listening":"<url>"} when it is ready, and a line for each claim.
All settings come from the environment:
${describeTowerSettings()}

Exit codes: 0 stopped by a signal, 1 failed to start, 2 wrong usage.
`

if (process.argv.includes('--help')) {
  process.stdout.write(help)
} else if (process.argv.length > 2) {
  process.stderr.write(help)
  process.exitCode = 2
} else {
  serve().catch((cause: unknown) => {
    logFailure('start', cause)
    process.exit(1)
  })
}

async function serve() {
  const config = await readTowerConfig(process.env)
  const tower = await openTower(config, {
    now: Date.now,
    randomBytes,
    logFailure,
    onSent: (sent) => process.stdout.write(`${toJson({ at: new Date().toISOString(), sent })}\n`),
  })
  await tower.start()
  const server = createServer(tower.listener)
  server.requestTimeout = 30_000
  server.headersTimeout = 10_000
  server.listen(config.JANDON_TOWER_PORT, config.JANDON_TOWER_HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://${config.JANDON_TOWER_HOST}:${port}`
  process.stdout.write(`${JSON.stringify({ listening: url })}\n`)

  const [signal] = await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  process.stderr.write(`${signal}: stopping\n`)
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
  await tower.stop()
  process.exit(0)
}

function logFailure(what: string, cause: unknown) {
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), what, failure: text })}\n`)
}
