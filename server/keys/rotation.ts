// A data directory gets new keys while its channels stay open: the operator key that the hub account names by now, and a receipt
// key that the former one vouches for.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Address, PublicClient } from 'viem'
import { hubAccountAbi } from '#protocol/abi.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Deployment } from '../chain/deployment.ts'
import type { Ownership } from '../store/database.ts'
import {
  levelFolder,
  openLevel,
  ownershipFault,
  ownershipRow,
  readOwnership,
  writeSynced,
} from '../store/database.ts'
import type { Database, Row } from '../store/table.ts'
import type { Final } from './former-transactions.ts'
import { endingsOf, retire } from './former-transactions.ts'

/** What became of each key, and of each transaction that was open, in words. */
export type Rotated = {
  operator: { former: Address; now: Address } | null
  transactions: { transaction: `0x${string}`; purpose: string; says: string }[]
}

export type RotationOrder = {
  dataDir: string
  deployment: Pick<Deployment, 'chainId' | 'hubAccount' | 'channels'>
  chain: PublicClient
  /** Blocks on top before anything is final. */
  confirmations: number
  operator: Address
  /** Whether transactions that may still be mined are given up. */
  giveUp: boolean
}

/**
 * Rotates the keys of a stopped hub in one write.
 *
 * @throws Error when the hub runs, the directory is another hub's, the hub account does not name the new operator for good yet, or
 * transactions of the former one have to be waited for; nothing is changed then
 */
export async function rotateKeys(order: RotationOrder): Promise<Rotated> {
  const folder = join(order.dataDir, levelFolder)
  if (!existsSync(folder)) throw new Error(`${order.dataDir} is no data directory`)
  const db = await openLevel(folder)
  try {
    return await rotateIn(db, order)
  } finally {
    await db.close()
  }
}

async function rotateIn(db: Database, order: RotationOrder): Promise<Rotated> {
  const owner = ownerOf(db, order)
  if (owner.operator === order.operator) return { operator: null, transactions: [] }
  const { rows, transactions } = await rotateOperator(db, owner, order)
  await writeSynced(db, [...rows, ownershipRow({ ...owner, operator: order.operator })])
  return { operator: { former: owner.operator, now: order.operator }, transactions }
}

function ownerOf(db: Database, { dataDir, deployment }: RotationOrder): Ownership {
  const owner = readOwnership(db)
  if (!owner) throw new Error(`${dataDir} is nobody’s yet: start the hub on it with the new keys`)
  const { chainId, hubAccount, channels } = deployment
  const fault = ownershipFault(owner, { chainId, hubAccount, channels })
  if (fault) throw new Error(`data directory ${dataDir} ${fault}`)
  return owner
}

async function rotateOperator(
  db: Database,
  { operator: former }: Ownership,
  { chain, confirmations, operator, deployment: { hubAccount }, giveUp }: RotationOrder,
): Promise<{ rows: Row[]; transactions: Rotated['transactions'] }> {
  const head = await chain.getBlockNumber({ cacheTime: 0 })
  const final = head > BigInt(confirmations) ? head - BigInt(confirmations) : 0n
  const at = { chain, head, final }
  await assertOperator(at, { hubAccount, operator })
  const endings = await endingsOf(db, { former, hubAccount, at, giveUp })
  return {
    rows: await retire(db, endings),
    transactions: endings.map(({ sent, outcome: { hash }, says }) => ({
      transaction: hash,
      purpose: sent.purpose,
      says,
    })),
  }
}

/** Only the chain says who the operator is: before it does, and for good, the former key is not let go of. */
async function assertOperator(
  { chain, head, final }: Final,
  { hubAccount, operator }: { hubAccount: Address; operator: Address },
) {
  const readAt = async (blockNumber: bigint) =>
    lowerCase(
      await chain.readContract({
        address: hubAccount,
        abi: hubAccountAbi,
        functionName: 'operator',
        blockNumber,
      }),
    )
  const now = await readAt(head)
  if (now !== operator)
    throw new Error(
      `the operator of hub account ${hubAccount} is ${now}, not ${operator}: its admin calls setOperator(${operator}) first`,
    )
  if ((await readAt(final)) === operator) return
  throw new Error(
    `${operator} is the operator, but not for good yet: wait until block ${final} is past the change, it is ${head - final} behind the newest`,
  )
}
