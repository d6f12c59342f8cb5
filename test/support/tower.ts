// The watchtower of a hub under test, as a process of its own, and a chain whose time and price of gas a test moves.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Address } from 'viem'
import { createWalletClient, http } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { hubAccountAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import type { Part } from '../../scripts/world/process.ts'
import { startPart } from '../../scripts/world/process.ts'
import type { World } from '../../scripts/world/world.ts'
import type { OpenChannel } from './channels.ts'
import type { Fields } from './http.ts'
import { send } from './http.ts'
import type { HubFixture } from './hub.ts'

const script = fileURLToPath(new URL('../../server/tower/main.ts', import.meta.url))

export type TowerFixture = {
  part: Part
  health(): Promise<Fields>
  /** What a hub of this tower runs with. */
  hubSettings: {
    JANDON_TOWER_URL: string
    JANDON_TOWER_TOKEN: string
    JANDON_TOWER_FEED_MS: string
  }
  /** Starts it again on its store and port, after it was stopped or killed. */
  restart(changes?: NodeJS.ProcessEnv): Promise<void>
}

/** Starts a tower for a world, with a new key that is made a claimer. */
export async function startTower(
  world: World,
  changes: NodeJS.ProcessEnv = {},
): Promise<TowerFixture> {
  const claimerKey = generatePrivateKey()
  await makeClaimer(world, privateKeyToAccount(claimerKey).address)
  const secret = randomBytes(32).toString('base64url')
  const environment = {
    JANDON_TOWER_DIR: join(world.folder, 'tower'),
    JANDON_TOWER_PORT: '0',
    JANDON_TOWER_TOKEN: secret,
    JANDON_RPC_URL: world.rpcUrl,
    JANDON_DEPLOYMENT: join(world.folder, 'deployment.json'),
    JANDON_CLAIMER_KEY: claimerKey,
    JANDON_TOWER_POLL_MS: '50',
    JANDON_TOWER_PATIENCE_MS: '200',
    ...changes,
  }
  const part = await startPart('tower', [script], environment)
  const tower: TowerFixture = {
    part,
    hubSettings: {
      JANDON_TOWER_URL: part.url,
      JANDON_TOWER_TOKEN: secret,
      JANDON_TOWER_FEED_MS: '50',
    },
    health: async () => (await send(tower.part.url, { path: '/healthz' })).body,
    async restart(others = {}) {
      const { port } = new URL(tower.part.url)
      const settings = { ...environment, ...others, JANDON_TOWER_PORT: port }
      tower.part = await startPart('tower', [script], settings)
    },
  }
  return tower
}

/** Makes an address a claimer of the hub account, as its admin would. */
export async function makeClaimer({ chain, rpcUrl, deployment, fundGas }: World, claimer: Address) {
  const { hubAccount: address } = deployment
  const admin = await chain.readContract({ address, abi: hubAccountAbi, functionName: 'admin' })
  await fundGas(claimer)
  await chain.impersonateAccount({ address: admin })
  const wallet = createWalletClient({ account: admin, chain: hardhat, transport: http(rpcUrl) })
  const hash = await wallet.writeContract({
    address,
    abi: hubAccountAbi,
    functionName: 'setClaimer',
    args: [claimer, true],
  })
  const { status } = await chain.waitForTransactionReceipt({ hash })
  assert.equal(status, 'success')
}

/** Balance and claimed total of a channel on the chain, base units. */
export async function onChain({ world, info }: HubFixture, { id }: Pick<OpenChannel, 'id'>) {
  const [balance, claimed] = await world.chain.readContract({
    address: info.channels.address,
    abi: paymentChannelsAbi,
    functionName: 'channels',
    args: [id],
  })
  return { balance, claimed }
}

/** Begins a withdrawal as a payer does who has nothing but a key and the chain: of everything, or of `amount`. */
export async function initiateAlone(hub: HubFixture, channel: OpenChannel, amount?: bigint) {
  const { world, info } = hub
  const { balance, claimed } = await onChain(hub, channel)
  const { payer: account, config } = channel
  const wallet = createWalletClient({ account, chain: hardhat, transport: http(world.rpcUrl) })
  const hash = await wallet.writeContract({
    address: info.channels.address,
    abi: paymentChannelsAbi,
    functionName: 'initiateWithdraw',
    args: [config, amount ?? balance - claimed],
  })
  const { status } = await world.chain.waitForTransactionReceipt({ hash })
  assert.equal(status, 'success')
}

/** Lets time pass on the chain, in seconds. */
export async function passTime({ world }: HubFixture, seconds: number) {
  await world.chain.increaseTime({ seconds })
  await world.chain.mine({ blocks: 1 })
}
