// A running watchtower: its parts put together over one directory and one chain.

import type { Hex } from 'viem'
import { bytesToHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hubAccountAbi } from '#protocol/abi.ts'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import { lowerCase } from '#protocol/signature.ts'
import { connect } from '../chain/connect.ts'
import { createSignatureBackend } from '../channels/signature-backend.ts'
import { createRunner } from '../runner.ts'
import type { Sent } from './claims.ts'
import { createTowerClaims } from './claims.ts'
import type { TowerConfig } from './config.ts'
import { weiOf } from './config.ts'
import { createTowerListener } from './listener.ts'
import { openTowerStore } from './store.ts'
import { createWatch } from './watch.ts'

export type TowerSurroundings = {
  now: () => number
  randomBytes: (count: number) => Uint8Array
  logFailure: (what: string, cause: unknown) => void
  /** Hears of each claim that is sent. */
  onSent: (sent: Sent) => void
}

/** Opens the directory and puts the parts together. Nothing is watched before `start`. */
export async function openTower(config: TowerConfig, surroundings: TowerSurroundings) {
  const { deployment } = config
  const { now, randomBytes, logFailure, onSent } = surroundings
  const { chainId, hubAccount, vault, channels } = deployment
  const account = privateKeyToAccount(config.JANDON_CLAIMER_KEY)
  const pollMs = config.JANDON_TOWER_POLL_MS
  const { chain } = connect(
    { ...config, JANDON_POLL_MS: pollMs },
    {
      now,
      onAside: ({ name }, reason) => logFailure('chain', `${name} is put aside: ${reason}`),
    },
  )
  const marginSeconds = BigInt(config.JANDON_TOWER_MARGIN_S)
  const newId = (): Hex => bytesToHex(randomBytes(32))
  const store = await openTowerStore(config.JANDON_TOWER_DIR, { chainId, hubAccount, newId })
  const watch = createWatch({
    chain,
    deployment,
    store,
    marginSeconds,
    fullLookMs: config.JANDON_TOWER_FULL_LOOK_MS,
    now,
  })
  const claims = createTowerClaims({
    chain,
    deployment,
    store,
    account,
    feeTerms: {
      calm: weiOf(config.JANDON_TOWER_CALM_GWEI),
      highest: weiOf(config.JANDON_TOWER_HIGHEST_GWEI),
      marginSeconds,
    },
    patienceMs: config.JANDON_TOWER_PATIENCE_MS,
    logFailure,
    now,
  })
  const runner = createRunner({ logFailure, pauseMs: pollMs })
  /** Unix milliseconds of the last look at the chain, and of the last rows of the hub. */
  const last = { look: 0, rows: 0 }
  let [looks, due] = [0, 0]

  return {
    listener: createTowerListener({
      store,
      watched: {
        vault,
        hubAccount,
        separator: channelsDomainSeparator({ chainId, address: channels }),
        backend: createSignatureBackend(),
      },
      secret: config.JANDON_TOWER_TOKEN,
      onRows(created) {
        last.rows = now()
        watch.add(created)
      },
      health: () => ({
        ready: now() - last.look < pollMs * 10 + 10_000,
        block: watch.block(),
        lastRows: last.rows,
        candidates: watch.pending(),
        looks,
        due,
        claimer: lowerCase(account.address),
      }),
      logFailure,
    }),
    /** @throws Error when the key is no claimer of the hub account: nothing could be claimed with it */
    async start() {
      const isClaimer = await chain.readContract({
        address: hubAccount,
        abi: hubAccountAbi,
        functionName: 'isClaimer',
        args: [account.address],
      })
      if (!isClaimer)
        throw new Error(`${account.address} is no claimer of the hub account ${hubAccount}`)
      runner.loop('watch', look, pollMs)
    },
    async stop() {
      runner.stop()
      await store.close()
    },
  }

  async function look() {
    const nonce = await claims.nonce()
    const found = await watch.look()
    last.look = now()
    looks += 1
    due = found.due.length
    const late = found.due.filter(({ finalizeAfter }) => finalizeAfter <= found.now)
    for (const { channelId, finalizeAfter } of late)
      logFailure('late', `channel ${channelId} could be withdrawn from since ${finalizeAfter}`)
    const sent = await claims.step({ ...found, nonce })
    if (sent) onSent(sent)
  }
}
