// Where the load is played: a real hub with channels and creators, and the crew as processes.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PrivateKeyAccount } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { creatorDomain, creatorTypes } from '#protocol/creator.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { BenchChannel } from '../../bench/channels.ts'
import { openBenchChannels } from '../../bench/channels.ts'
import type { World } from '../../world/world.ts'
import { startWorld } from '../../world/world.ts'
import type { Client } from '../hub/client.ts'
import { createClient } from '../hub/client.ts'
import type { Plan, Report } from './plan.ts'

export type Arena = {
  world: World
  client: Client
  channels: BenchChannel[]
  creators: PrivateKeyAccount[]
  /** Starts one of the crew; resolves when it is at work. */
  send(plan: Plan): Promise<Member>
  /** A figure of `/metrics`. */
  metric(name: string): Promise<number>
}

export type Member = {
  /** What was done since the last call, or since the start. */
  next(): Promise<Report>
  stop(): Promise<void>
}

const crew = fileURLToPath(new URL('crew.ts', import.meta.url))

/** Calls `work` with a hub that has so many channels and creators. All that was started is ended afterwards. */
export async function inArena<T>(
  {
    channels: channelCount,
    creators: creatorCount,
    settings = {},
  }: { channels: number; creators: number; settings?: NodeJS.ProcessEnv },
  work: (arena: Arena) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-load-'))
  const world = await startWorld({
    folder,
    walletNames: ['creator', 'funder'],
    withBank: false,
    hubSettings: settings,
  })
  const members = new Set<Member>()
  try {
    const channels = await openBenchChannels(world, channelCount)
    const client = createClient(() => world.hub.url)
    const creators: PrivateKeyAccount[] = []
    while (creators.length < creatorCount) creators.push(await register(world, client))
    return await work({
      world,
      client,
      channels,
      creators,
      async send(plan) {
        const member = await enlist(plan)
        members.add(member)
        return member
      },
      metric: (name) => readMetric(world, name),
    })
  } finally {
    await Promise.all([...members].map((member) => member.stop()))
    await world.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function register(world: World, client: Client): Promise<PrivateKeyAccount> {
  const account = privateKeyToAccount(generatePrivateKey())
  const handle = `c${account.address.slice(2, 20).toLowerCase()}`
  const message = { handle, account: lowerCase(account.address), displayName: 'Creator' }
  const signature = await account.signTypedData({
    domain: creatorDomain(world.deployment),
    types: creatorTypes,
    primaryType: 'Creator',
    message,
  })
  await client.ask({ path: '/v1/creators', body: { ...message, signature } }, 201)
  return account
}

async function enlist(plan: Plan): Promise<Member> {
  const child = fork(crew, [JSON.stringify(plan)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const failed = exited.then(([code]) => {
    throw new Error(`one of the ${plan.role} ended with ${code}`)
  })
  failed.catch(() => undefined)
  const heard = async (): Promise<unknown> => {
    const [message] = await Promise.race([once(child, 'message'), failed])
    return message
  }
  await heard()
  return {
    async next() {
      const answer = heard()
      child.send('next')
      return ((await answer) as { report: Report }).report
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function readMetric({ hub }: World, name: string): Promise<number> {
  const text = await (await fetch(new URL('/metrics', hub.url))).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

export function seconds(count: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, count * 1_000)
  })
}
