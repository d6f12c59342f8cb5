// The hub as a process: reads the environment, opens the hub, listens, and stops in order.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describeSettings, readConfig } from './config.ts'
import { createListener } from './http/app.ts'
import { createHttpServer } from './http/server.ts'
import { openHub } from './hub.ts'

const help = `usage: node server/main.ts

Runs a jandon hub. Prints {"listening":"<url>"} when it is ready. Stops in order on SIGTERM and SIGINT.
All settings come from the environment:
${describeSettings()}

Exit codes: 0 stopped by a signal, 1 failed to start or to go on, 2 wrong usage.
`

/** How long requests in progress may take after a signal, in milliseconds. */
const drainMs = 8_000

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
  const config = await readConfig(process.env)
  let origin = new URL(config.JANDON_PUBLIC_URL ?? 'http://localhost')
  const hub = await openHub(config, {
    now: Date.now,
    elapsed: () => performance.now(),
    randomBytes,
    origin: () => origin,
    logFailure,
    logProgress,
    onFailure(cause) {
      logFailure('storage', cause)
      process.exit(1)
    },
  })
  const { server, connections } = createHttpServer(createListener(hub, logFailure), {
    limits: {
      connections: Math.min(config.JANDON_CONNECTIONS, Math.floor(descriptors() / 2)),
      perAddress: config.JANDON_CONNECTIONS_PER_ADDRESS,
    },
    patience: { headersMs: config.JANDON_HEADERS_MS, requestMs: config.JANDON_REQUEST_MS },
    senders: hub.senders,
  })
  hub.sockets.attach(server, connections)
  server.listen(config.JANDON_PORT, config.JANDON_HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const here = `http://${config.JANDON_HOST}:${port}`
  if (!config.JANDON_PUBLIC_URL) origin = new URL(here)
  await hub.start()
  const { signatureBackend, epoch } = hub.info()
  process.stdout.write(`${JSON.stringify({ listening: here, signatureBackend, epoch })}\n`)

  const [signal] = await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  process.stderr.write(`${signal}: stopping\n`)
  const closed = new Promise((resolve) => server.close(resolve))
  hub.live.close()
  hub.sockets.close()
  server.closeIdleConnections()
  const deadline = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearTimeout(deadline)
  await hub.stop()
  // What still waits for the chain would keep the process for half a minute; it is on disk, and goes on at the next start.
  process.exit(0)
}

/** How many files and connections this process may have open; the database and webhooks need some of them too. */
function descriptors(): number {
  Object.assign(process.report, { excludeNetwork: true })
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft: number | 'unlimited' } }
  }
  return Number(userLimits?.open_files?.soft) || Number.POSITIVE_INFINITY
}

function logFailure(what: string, cause: unknown) {
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), what, failure: text })}\n`)
}

function logProgress(what: string, progress: string) {
  process.stderr.write(`${JSON.stringify({ at: new Date().toISOString(), what, progress })}\n`)
}
