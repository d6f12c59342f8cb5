// A process that sends many transactions at once from one data directory, to be killed at any moment and started again: each
// mints one unit to an address of its own, so that an effect that is missing or doubled can be seen.

import type { Address, Hex } from 'viem'
import { createPublicClient, encodeFunctionData, http, padHex, toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { testTokenAbi } from '#protocol/abi.ts'
import { HubError } from '#protocol/errors.ts'
import { lowerCase } from '#protocol/signature.ts'
import { createTransactions } from '#server/chain/transactions.ts'
import type { FeePolicy } from '#server/chain/upkeep.ts'
import { openDatabase } from '#server/store/database.ts'
import { table } from '#server/store/table.ts'
import { openLog, owner } from '#server/testing/disk.ts'

/** What the process is told, as JSON. */
export type SenderOrder = {
  directory: string
  rpcUrl: string
  key: Hex
  token: Address
  sends: number
  fees: Omit<FeePolicy, 'budgetPerGas' | 'passedOver'>
  budgetGwei: number
}

/** What the process says when everything it was to send is final. */
export type SenderReport = { ended: { [status: string]: number }; replacements: number }

/** Hashes by number of the send: stored in the batch that stores the signed bytes. */
const causes = table<Hex>('cause')
const pollMs = 50
const gwei = 1_000_000_000n

/** Whom a send mints to. */
export function recipientOf(send: number): Address {
  return padHex(toHex(send + 1), { size: 20 })
}

async function run({ directory, rpcUrl, key, token, sends, fees, budgetGwei }: SenderOrder) {
  const account = privateKeyToAccount(key)
  const db = await openDatabase(directory, { ...owner, operator: lowerCase(account.address) })
  const { log } = await openLog(db, { maxWaiting: sends * 4 })
  const transport = http(rpcUrl, { retryCount: 0, batch: true })
  const chain = createPublicClient({ chain: hardhat, transport, pollingInterval: pollMs })
  const policy = { ...fees, budgetPerGas: BigInt(budgetGwei) * gwei, passedOver: 1n }
  const transactions = createTransactions({
    db,
    log,
    chain,
    account,
    chainId: hardhat.id,
    fees: policy,
    confirmations: 1,
  })
  const ended: { [status: string]: number } = {}
  let replacements = 0
  await Promise.all(
    Array.from({ length: sends }, async (_, send) => {
      const hash = causes.get(db, String(send)) ?? (await sendOnce(send))
      const outcome = await transactions.mined(hash)
      ended[outcome.status] = (ended[outcome.status] ?? 0) + 1
      if (outcome.hash !== hash) replacements += 1
    }),
  )
  process.stdout.write(`${JSON.stringify({ ended, replacements } satisfies SenderReport)}\n`)
  process.exit(0)

  /** A chain that does not answer is asked again; nothing was stored then. */
  async function sendOnce(send: number): Promise<Hex> {
    const args = [recipientOf(send), 1n] as const
    const data = encodeFunctionData({ abi: testTokenAbi, functionName: 'mint', args })
    for (;;) {
      try {
        const call = { to: token, data, purpose: `send ${send}` }
        return await transactions.send(call, (hash) => [causes.put(String(send), hash)])
      } catch (cause) {
        if (!(cause instanceof HubError) || cause.code !== 'chain_unavailable') throw cause
      }
    }
  }
}

const [, , order] = process.argv
if (import.meta.main && order) await run(JSON.parse(order) as SenderOrder)
