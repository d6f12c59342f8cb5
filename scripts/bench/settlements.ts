// What settlements cost, from transactions that a hub sent by itself: many channels claimed by policy, then many creators credited.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import type { SettlementView } from '#protocol/messages/claims.ts'
import { settlementList } from '#protocol/messages/claims.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { World } from '../world/world.ts'
import { startWorld } from '../world/world.ts'
import type { BenchChannel } from './channels.ts'
import { openBenchChannels, registerCreator } from './channels.ts'
import { signBaskets, tipAmount } from './signed-baskets.ts'

/**
 * The largest settlement that only claims, and those that only credit: gas of the whole transaction, divided by what it does.
 * `newCreator` is for accounts that the vault sees for the first time.
 */
export type SettlementGas = {
  channelsPerTx: number
  gasPerChannel: number
  gasPerCreator: number
  gasPerNewCreator: number
}

/** Claims by policy, and nothing is credited. */
const claimsOnly = { JANDON_CLAIM_AT_RISK: '0.00005', JANDON_CREDIT_AT: '1000000' }
/** Nothing is settled but what is asked for. */
const patient = { JANDON_CLAIM_AT_RISK: '1000000', JANDON_CREDIT_AT: '1000000' }

const pauseMs = 50

/** Of two rounds the second counts, in which every channel and account is known to the chain; new creators are the first's. */
export async function measureSettlements({
  channels: count,
  creators,
}: {
  channels: number
  creators: number
}): Promise<SettlementGas> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-bench-'))
  const world = await startWorld({
    folder,
    walletNames: ['creator', 'funder'],
    withBank: false,
    hubSettings: patient,
  })
  try {
    const channels = await assignCreators(world, await openBenchChannels(world, count), creators)
    const first = await playRound(world, channels, 0n)
    const second = await playRound(world, channels, tipAmount)
    return {
      channelsPerTx: second.claim.channels,
      gasPerChannel: perRow(second.claim, second.claim.channels),
      gasPerCreator: perRow(second.credit, second.credit.credited.length),
      gasPerNewCreator: perRow(first.credit, first.credit.credited.length),
    }
  } finally {
    await world.stop()
    await rm(folder, { recursive: true })
  }
}

/** Each channel tips one of so many creators. */
async function assignCreators(
  world: World,
  channels: readonly BenchChannel[],
  count: number,
): Promise<BenchChannel[]> {
  const keys = Array.from({ length: count }, generatePrivateKey)
  for (const [index, privateKey] of keys.entries())
    await registerCreator(world, { privateKey, handle: `bench-${index}` })
  const accounts = keys.map((key) => lowerCase(privateKeyToAccount(key).address))
  return channels.map((channel, index) => ({
    ...channel,
    creator: accounts[index % count] ?? channel.creator,
  }))
}

/** A tip on each channel, a settlement that claims, and one that credits. */
async function playRound(world: World, channels: readonly BenchChannel[], before: bigint) {
  const baskets = channels.flatMap((channel) => signBaskets(channel, { tips: 1, count: 1, before }))
  await Promise.all(
    baskets.map(async (basket) => {
      const response = await post(world, '/v1/tips', basket)
      if (!response.ok) throw new Error(`the hub answered ${response.status} to a tip`)
    }),
  )
  const done = (await settlements(world)).length
  await restart(world, claimsOnly)
  await until(async () => {
    const all = await settlements(world)
    const claimed = all.slice(0, all.length - done).reduce((sum, one) => sum + one.channels, 0)
    return claimed === channels.length
  })
  await restart(world, patient)
  const claims = (await settlements(world)).slice(0, -done || undefined)
  const response = await post(world, '/v1/claims', {})
  if (!response.ok) throw new Error(`the hub answered ${response.status} to a claim`)
  const credits = (await settlements(world)).slice(0, -(done + claims.length))
  return {
    claim: largest(claims, ({ channels: count }) => count),
    credit: largest(credits, ({ credited }) => credited.length),
  }
}

async function restart(world: World, changes: NodeJS.ProcessEnv) {
  await world.hub.stop()
  await world.restartHub(changes)
}

/** Newest first, all at their end. */
async function settlements(world: World): Promise<SettlementView[]> {
  const headers = { authorization: `Bearer ${world.operatorToken}` }
  const response = await fetch(new URL('/v1/claims?limit=100', world.hub.url), { headers })
  const all = settlementList.parse(await response.json()).settlements
  return all.filter(({ state }) => state !== 'sent')
}

function post({ hub, operatorToken }: World, path: string, body: unknown): Promise<Response> {
  return fetch(new URL(path, hub.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorToken}`, 'content-type': 'application/json' },
    body: toJson(body),
  })
}

async function until(isSo: () => Promise<boolean>) {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, pauseMs))
}

function largest(all: readonly SettlementView[], sizeOf: (one: SettlementView) => number) {
  const [first] = all.toSorted((a, b) => sizeOf(b) - sizeOf(a))
  if (!first) throw new Error('nothing was settled')
  return first
}

function perRow({ gasUsed }: SettlementView, rows: number): number {
  return Math.ceil(Number(gasUsed ?? 0n) / rows)
}
