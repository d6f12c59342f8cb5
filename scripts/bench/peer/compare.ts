// jandon and the npm x402 server side by side: the same number of payments of the same amount on as many channels, in turns on
// one world, so that what the machine does in between meets both. Afterwards both must have charged the same on every channel.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { findPackageJSON } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { readExport } from '../../conserve/books-side.ts'
import type { World } from '../../world/world.ts'
import { startWorld } from '../../world/world.ts'
import type { BenchChannel } from '../channels.ts'
import { openBenchChannels } from '../channels.ts'
import { hubServer } from '../hub.ts'
import type { TipPlan } from '../load.ts'
import type { Measured } from '../measure.ts'
import { measure, medians } from '../measure.ts'
import type { PurchasePlan } from './load.ts'
import type { Merchant } from './merchant.ts'
import { startMerchant } from './merchant.ts'

/** All per channel, but for `channels` and `runs`; `warmUp` payments are made before the first run and are not measured. */
export type Terms = { channels: number; payments: number; warmUp: number; runs: number }

export type Comparison = {
  jandon: Measured
  peer: Measured
  /** jandon's payments per server CPU-second over the peer's. */
  ratio: number
  /** The peer's p99 over jandon's. */
  p99Ratio: number
  /** Base units that each side charged on each channel. */
  charged: bigint
  /** How often the peer asked its facilitator to verify; any other voucher it verified by itself. */
  asked: number
}

/** Base units of a tip and of a song. */
const price = 100n

/** As an operator would run the hub: it looks at the chain once a second, as by default, and not ten times as in tests. */
const operatorSettings = { NODE_ENV: 'production', JANDON_POLL_MS: '1000' }

/** @throws AssertionError when an answer is not a success or the two sides did not charge the same. */
export async function compare(terms: Terms): Promise<Comparison> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-peer-'))
  try {
    const world = await startWorld({
      folder,
      walletNames: ['creator', 'funder'],
      withBank: false,
      hubSettings: operatorSettings,
    })
    try {
      return await compareOn(world, terms)
    } finally {
      await world.stop()
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function compareOn(world: World, terms: Terms): Promise<Comparison> {
  const channels = await openBenchChannels(world, terms.channels)
  const merchant = await startMerchant(world, { count: terms.channels, price })
  try {
    const sides = [jandonSide(world, channels), peerSide(world, merchant)] as const
    for (const run of sides) await run({ count: terms.warmUp, before: 0 })
    const measured: [jandon: Measured[], peer: Measured[]] = [[], []]
    for (let run = 0; run < terms.runs; run += 1) {
      const length = { count: terms.payments, before: terms.warmUp + run * terms.payments }
      // Whoever goes first changes with each run.
      for (const side of run % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        measured[side].push(await sides[side](length))
      }
    }
    const charged = BigInt(terms.warmUp + terms.runs * terms.payments) * price
    const { asked } = await assertBooks({ world, channels, merchant, charged })
    const [jandon, peer] = [medians(measured[0]), medians(measured[1])]
    return {
      jandon,
      peer,
      ratio: rounded(jandon.perServerCpuSecond / peer.perServerCpuSecond),
      p99Ratio: rounded(peer.p99ms / jandon.p99ms),
      charged,
      asked,
    }
  } finally {
    await merchant.stop()
  }
}

type Run = (length: { count: number; before: number }) => Promise<Measured>

function jandonSide(world: World, channels: BenchChannel[]): Run {
  const plan = join(world.folder, 'tips.json')
  const script = new URL('../load.ts', import.meta.url)
  return async ({ count, before }) => {
    const tips: TipPlan = {
      hubUrl: world.hub.url,
      channels,
      tips: 1,
      connections: channels.length,
      length: { baskets: count, sentBefore: before },
    }
    await writeFile(plan, JSON.stringify(tips))
    return measure(hubServer(world), { script, plan, perAnswer: 1 })
  }
}

function peerSide(world: World, merchant: Merchant): Run {
  const plan = join(world.folder, 'purchases.json')
  const script = new URL('load.ts', import.meta.url)
  return async ({ count, before }) => {
    const purchases: PurchasePlan = {
      url: merchant.url,
      channels: merchant.channels,
      price: String(price),
      purchases: count,
      madeBefore: before,
    }
    await writeFile(plan, JSON.stringify(purchases))
    return measure(merchant, { script, plan, perAnswer: 1 })
  }
}

/** What each side's own books say was charged, channel by channel in the order they were opened. */
async function assertBooks({
  world,
  channels,
  merchant,
  charged,
}: {
  world: World
  channels: BenchChannel[]
  merchant: Merchant
  charged: bigint
}) {
  const hub = await readExport(world.hub.url, world.operatorToken)
  const shop = await merchant.books()
  const jandon = totals(channels, hub.channels)
  const peer = totals(merchant.channels, shop.channels)
  assertSameTotals({ jandon, peer, wanted: channels.map(() => charged) })
  return shop
}

type Total = { channelId: string; charged: bigint }

function totals(opened: readonly { channelId: string }[], books: readonly Total[]) {
  const byId = new Map(books.map(({ channelId, charged }) => [channelId, charged]))
  return opened.map(({ channelId }) => byId.get(channelId))
}

type Totals = readonly (bigint | undefined)[]

/** @throws AssertionError that shows both sides, when a channel of one was charged other than the same channel of the other. */
export function assertSameTotals(sides: { jandon: Totals; peer: Totals; wanted: Totals }) {
  const { jandon, peer, wanted } = sides
  assert.deepEqual(peer, jandon, 'the two sides did not charge the same')
  assert.deepEqual(jandon, wanted, 'the two sides charged the same, but not what was signed')
}

/** Versions of what the peer runs, to print beside its figures. */
export async function peerVersions(): Promise<{ [name: string]: string }> {
  const names = ['@x402/express', '@x402/core', '@x402/evm', 'express', 'viem']
  const versions = names.map(async (name) => {
    const path = findPackageJSON(name, import.meta.url)
    if (!path) throw new Error(`${name} is not installed`)
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(path, 'utf8')))
    return [name, version] as const
  })
  return { node: process.versions.node, ...Object.fromEntries(await Promise.all(versions)) }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
