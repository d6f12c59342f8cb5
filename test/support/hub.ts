// A hub with its chain, and if wanted its bank, as real processes in a folder that is gone afterwards.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Abi, Hex, PrivateKeyAccount, WriteContractParameters } from 'viem'
import { createWalletClient, http } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import type { HubInfo } from '#protocol/messages/hub.ts'
import { hubInfo } from '#protocol/messages/hub.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { World } from '../../scripts/world/world.ts'
import { startWorld } from '../../scripts/world/world.ts'
import type { Answer, Call, Fields } from './http.ts'
import { assertAnswer, send } from './http.ts'

export type HubFixture = {
  world: World
  info: HubInfo
  /** Sends any request. */
  call(call: Call): Promise<Answer>
  close(): Promise<void>
}

const deadlineMs = 15_000
const pauseMs = 15

/** Starts a world; the hub's settings may differ from the local ones. */
export async function openHub({
  withBank = false,
  hubSettings = {},
}: {
  withBank?: boolean
  hubSettings?: NodeJS.ProcessEnv
} = {}): Promise<HubFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-test-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  const world = await startWorld({ folder, walletNames: [], withBank, hubSettings }).catch(
    async (cause: unknown) => {
      await remove()
      throw cause
    },
  )
  const call = (request: Call) => send(world.hub.url, request)
  const info = hubInfo.parse((await call({ path: '/.well-known/jandon' })).body)
  return {
    world,
    info,
    call,
    async close() {
      await world.stop()
      await remove()
    },
  }
}

/** A wallet with gas, and with tokens if it needs any. */
export async function newParty(
  { world }: HubFixture,
  { tokens = 0n }: { tokens?: bigint } = {},
): Promise<PrivateKeyAccount> {
  const account = privateKeyToAccount(generatePrivateKey())
  await world.fundGas(account.address)
  if (tokens > 0n) await world.mint(account.address, tokens)
  return account
}

/** Sends a transaction of a wallet and returns when it is mined and the hub has booked it. */
export async function transact(
  hub: HubFixture,
  account: PrivateKeyAccount,
  call: Pick<WriteContractParameters, 'address' | 'functionName'> & {
    abi: Abi
    args: readonly unknown[]
  },
): Promise<Hex> {
  const { rpcUrl, chain } = hub.world
  const wallet = createWalletClient({ account, chain: hardhat, transport: http(rpcUrl) })
  const hash = await wallet.writeContract(call as WriteContractParameters)
  const receipt = await chain.waitForTransactionReceipt({ hash })
  assert.equal(receipt.status, 'success')
  await booked(hub, receipt.blockNumber)
  return hash
}

/** Resolves when the hub has booked all events up to a block, by default the newest. */
export async function booked(hub: HubFixture, block?: bigint) {
  const wanted = block ?? (await hub.world.chain.getBlockNumber({ cacheTime: 0 }))
  await eventually(
    () => health(hub),
    ({ block: reached }) => BigInt(String(reached)) >= wanted,
  )
}

/** Reads again until it is so. Fails at the deadline with what was read last. */
export async function eventually<T>(
  read: () => Promise<T>,
  isSo: (value: T) => boolean,
): Promise<T> {
  const deadline = Date.now() + deadlineMs
  for (;;) {
    const value = await read()
    if (isSo(value)) return value
    if (Date.now() > deadline) assert.fail(`still not so: ${toJson(value)}`)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/** Everything that the hub's books hold, and the number of the last group it wrote: one write more would change it. */
export async function stateOf(hub: HubFixture): Promise<{ group: unknown; books: string }> {
  const { group } = await health(hub)
  return { group, books: await booksOf(hub) }
}

/** The hub's whole export, as text. */
export async function booksOf(hub: HubFixture): Promise<string> {
  const answer = await hub.call({ path: '/v1/export', token: hub.world.operatorToken })
  assert.equal(answer.status, 200, answer.text)
  assert.match(answer.text, /\n$|^$/)
  return answer.text
}

/** Runs work that must not leave a trace: not one group is written, not one row of the books differs. */
export async function assertUnchanged(hub: HubFixture, work: () => Promise<void>) {
  const before = await stateOf(hub)
  await work()
  assert.deepEqual(await stateOf(hub), before)
}

/**
 * Runs work that must leave the books as they are. For hubs that still write of their own accord, because a transaction of
 * theirs was just mined or the bank has just reported.
 */
export async function assertBooksUnchanged(hub: HubFixture, work: () => Promise<void>) {
  const before = await booksOf(hub)
  await work()
  assert.equal(await booksOf(hub), before)
}

/** The operator's comparison of books and chain, asked for now. */
export async function reservesOf(hub: HubFixture): Promise<Fields> {
  return assertAnswer(await hub.call({ path: '/v1/reserves', token: hub.world.operatorToken }), 200)
}

/** Claims and credits everything that is charged. */
export async function settle(hub: HubFixture): Promise<Answer> {
  const { operatorToken } = hub.world
  return hub.call({ method: 'POST', path: '/v1/claims', token: operatorToken })
}

async function health(hub: HubFixture): Promise<Fields> {
  return assertAnswer(await hub.call({ path: '/healthz' }), 200)
}
