// `npm start`: a whole local world with one visible round of the main job, which then stays up for the CLI and for pages.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Hex } from 'viem'
import type { World } from '../world/world.ts'
import { startWorld } from '../world/world.ts'
import { forgeOneUnit } from './forge.ts'
import type { RoundResult } from './round.ts'
import { playRound, roundWallets } from './round.ts'

const help = `usage: npm start -- [options]

Starts a local chain, the contracts, a hub and a bank, plays one round (deposits, tips, claim and credit, a payment to a
wallet, a cash-out, a refund), and stays up. A second terminal then uses it: npx jandon --help

  --once           stop after the round
  --json           print one JSON line with the result of the round instead of the story
  --plant <what>   put an error of one unit into the "ledger" or the "bank", which the audit must find
  --help           print this

Exit codes: 0 done and money conserved, 1 failed or not conserved, 2 wrong usage.
`

const root = fileURLToPath(new URL('../..', import.meta.url))
const devFolder = join(root, '.jandon', 'dev')
const currentFile = join(devFolder, 'current')

/** How many earlier worlds are kept to look at. */
const keptWorlds = 3

/** How long tips wait to be claimed and credited here, in milliseconds; a real hub waits for more of them. */
const claimAfterMs = 20_000

/** What a fan has in the wallet to play with after the round, in whole tokens. */
const pocketMoney = 100n

type Options = { once: boolean; json: boolean; plant: string | undefined }

const options = readOptions()
if (options) {
  run(options).then(
    (code) => {
      process.exitCode = code
    },
    (cause: unknown) => {
      process.stderr.write(
        `npm start failed: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`,
      )
      process.exitCode = 1
    },
  )
}

function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        plant: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    const { once: single, json, plant } = values
    if (values.help) process.stdout.write(help)
    else if (plant === undefined || plant === 'ledger' || plant === 'bank')
      return { once: single, json, plant }
    else usage(`--plant takes "ledger" or "bank", not "${plant}"`)
  } catch (cause) {
    usage(cause instanceof Error ? cause.message : String(cause))
  }
  return undefined
}

function usage(message: string) {
  process.stderr.write(`${message}\n\n${help}`)
  process.exitCode = 2
}

async function run({ once: single, json, plant }: Options): Promise<number> {
  const began = Date.now()
  const tell = (text: string) => {
    if (!json)
      process.stdout.write(`${((Date.now() - began) / 1_000).toFixed(1).padStart(5)} s  ${text}\n`)
  }
  const interrupted = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  const withBank = existsSync(join(root, '.jandon', 'xsd', 'pain.001.001.09.xsd'))
  if (!withBank)
    tell('no ISO 20022 schemas here, so no cash-out: node scripts/schemas.ts says what to do')
  const folder = await newFolder()
  const world = await startWorld({
    folder,
    walletNames: ['you', ...roundWallets],
    withBank,
    hubSettings: { JANDON_CLAIM_MAX_AGE_MS: String(claimAfterMs), JANDON_CREDIT_AT: '0' },
    onStep: tell,
  })
  try {
    await fillWallets(world)
    if (plant === 'bank') await misbook(world)
    const result = await playRound(world, tell)
    if (plant === 'ledger') await forgeLedger(world)
    const conserved = await isConserved(world)
    tell(
      conserved
        ? 'conserved: chain, hub and bank agree to the last unit'
        : 'NOT CONSERVED: chain, hub and bank disagree',
    )
    if (json)
      process.stdout.write(
        `${JSON.stringify({ ...result, conserved } satisfies RoundResult & { conserved: boolean })}\n`,
      )
    if (!single) {
      await writeCurrent(world)
      announce(world, tell)
      await interrupted
      tell('stopping')
    }
    return conserved ? 0 : 1
  } finally {
    await rm(currentFile, { force: true })
    await world.stop()
  }
}

/** A new folder for this start; old ones beyond a few are removed. */
async function newFolder(): Promise<string> {
  await mkdir(devFolder, { recursive: true, mode: 0o700 })
  const worlds = (await readdir(devFolder)).filter((name) => name.startsWith('world-')).sort()
  for (const name of worlds.slice(0, Math.max(0, worlds.length - keptWorlds))) {
    await rm(join(devFolder, name), { recursive: true })
  }
  const stamp = new Date().toISOString().replace(/[^0-9]/g, '')
  return join(devFolder, `world-${stamp}`)
}

async function fillWallets(world: World) {
  const pocket = pocketMoney * 10n ** BigInt(world.token.decimals)
  for (const { address } of Object.values(world.wallets)) await world.fundGas(address)
  const you = world.wallets['you']
  if (you) await world.mint(you.address, pocket)
}

async function misbook({ bank }: World) {
  if (!bank) throw new Error('there is no bank to plant an error in')
  await fetch(new URL('/faults', bank.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ misbook: 1 }),
  })
}

async function forgeLedger(world: World) {
  await world.hub.stop()
  await forgeOneUnit({
    dataDirectory: join(world.folder, 'hub'),
    deployment: world.deployment,
    receiptKey: world.hubEnvironment['JANDON_RECEIPT_KEY'] as Hex,
  })
  await world.restartHub()
}

/** Asks a process that shares nothing with the hub but what the chain, the hub's export and the bank say. */
async function isConserved(world: World): Promise<boolean> {
  const { rpcUrl, hub, bank, folder, hubEnvironment, operatorToken } = world
  const args = [
    join(root, 'scripts/conserve.ts'),
    ...['--rpc', rpcUrl],
    ...['--deployment', join(folder, 'deployment.json')],
    ...['--hub', hub.url],
    ...['--treasury', hubEnvironment['JANDON_TREASURY'] ?? ''],
    ...(bank ? ['--bank', bank.url] : []),
  ]
  const output = join(folder, 'conserve.json')
  const child = spawn(process.execPath, args, {
    env: { ...process.env, JANDON_OPERATOR_TOKEN: operatorToken },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [code] = await once(child, 'close')
  await writeFile(output, Buffer.concat(chunks))
  if (code === 1) await reportDifferences(output)
  return code === 0
}

async function reportDifferences(path: string) {
  const { checks } = JSON.parse(await readFile(path, 'utf8')) as {
    checks: { name: string; left: string; right: string; holds: boolean }[]
  }
  for (const { name, left, right, holds } of checks) {
    if (!holds) process.stderr.write(`not conserved: ${name}: ${left} against ${right}\n`)
  }
}

/** Lets the CLI find this world, its wallets and its hub. */
async function writeCurrent({ hub, rpcUrl, deployment, folder, wallets, operatorToken }: World) {
  const current = {
    hubUrl: hub.url,
    rpcUrl,
    chainId: deployment.chainId,
    home: join(folder, 'wallets'),
    wallets,
    operatorToken,
  }
  await writeFile(currentFile, JSON.stringify(current, null, 2), { mode: 0o600 })
}

function announce({ hub, rpcUrl, bank }: World, tell: (text: string) => void) {
  tell(`hub   ${hub.url}/.well-known/jandon`)
  tell(`chain ${rpcUrl}`)
  if (bank) tell(`bank  ${bank.url}/books`)
  tell('ready; in a second terminal: npx jandon open --deposit 5   (Ctrl-C stops everything)')
}
