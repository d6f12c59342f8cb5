#!/usr/bin/env node
// Starts the command line on a Node that runs TypeScript as it is (22.18 and newer). Plain JavaScript, because an older Node
// starts this file too: then it hands over to the Node that the set-up left in node_modules.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const main = new URL('./main.ts', import.meta.url)
const ownNode = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url))

if (runsTypeScript(process.versions.node)) await start()
else if (existsSync(ownNode)) handOver()
else {
  explain(`jandon needs Node 22.18 or newer; this is ${process.versions.node}.`)
}

async function start() {
  const { run } = await import(main.href).catch((error) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error
    return { run: () => explain('The packages of jandon are not installed.') }
  })
  await run(process.argv.slice(2))
}

function handOver() {
  const args = [
    fileURLToPath(main.href.replace(/main\.ts$/, 'jandon.mjs')),
    ...process.argv.slice(2),
  ]
  const child = spawn(ownNode, args, { stdio: 'inherit' })
  // A Ctrl-C reaches the child as well, which knows what to say; this process only waits for it.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
  })
}

function explain(problem) {
  process.stderr.write(
    `${problem}\nRun "npm start" or "node scripts/setup.mjs" once, then try again.\n`,
  )
  process.exitCode = 1
}

function runsTypeScript(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 18)
}
