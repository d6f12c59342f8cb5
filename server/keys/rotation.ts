// A data directory gets new keys while its channels stay open: the operator key that the hub account names by now, and a receipt
// key that the former one vouches for.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Address, Hex, PublicClient } from 'viem'
import { hubAccountAbi } from '#protocol/abi.ts'
import type { HandOver } from '#protocol/hand-over.ts'
import { handOverDigest } from '#protocol/hand-over.ts'
import { hubDomainSeparator } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { Deployment } from '../chain/deployment.ts'
import { createDigestSigner } from '../channels/signature-backend.ts'
import type { Ownership } from '../store/database.ts'
import {
  levelFolder,
  openLevel,
  ownershipFault,
  ownershipRow,
  readOwnership,
  writeSynced,
} from '../store/database.ts'
import { nextGroup } from '../store/start-up.ts'
import type { Database, Row } from '../store/table.ts'
import type { Final } from './former-transactions.ts'
import { endingsOf, retire } from './former-transactions.ts'
import { handOverRow, loadHandOvers } from './hand-overs.ts'
import { addressOfKey } from './keystore.ts'

/** What became of each key, and of each transaction that was open, in words. */
export type Rotated = {
  operator: { former: Address; now: Address } | null
  receiptSigner: { former: Address; now: Address; lastGroup: bigint; isVouchedFor: boolean } | null
  transactions: { transaction: `0x${string}`; purpose: string; says: string }[]
}

export type RotationOrder = {
  dataDir: string
  deployment: Pick<Deployment, 'chainId' | 'hubAccount' | 'channels'>
  chain: PublicClient
  /** Blocks on top before anything is final. */
  confirmations: number
  operator: Address
  receiptSigner: Address
  /** The former receipt key, by which the new one is vouched for; none when it is lost. */
  formerReceiptKey: Hex | undefined
  isReceiptKeyLost: boolean
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
  const { operator, receiptSigner } = order
  const handOver = await handOverIn(db, owner, order)
  const ended = operator === owner.operator ? nothingEnded : await rotateOperator(db, owner, order)
  await writeSynced(db, [
    ...ended.rows,
    ...(handOver ? [handOverRow(handOver)] : []),
    ownershipRow({ ...owner, operator, receiptSigner }),
  ])
  return {
    operator: operator === owner.operator ? null : { former: owner.operator, now: operator },
    receiptSigner: handOver && {
      former: handOver.former,
      now: handOver.next,
      lastGroup: handOver.lastGroup,
      isVouchedFor: handOver.signature !== null,
    },
    transactions: ended.transactions,
  }
}

const nothingEnded = { rows: [], transactions: [] }

/**
 * What the former receipt key signs for the new one. Its own signatures count up to the group before the next, which after a
 * restore is beyond all that were lost.
 */
async function handOverIn(
  db: Database,
  { receiptSigner: former }: Ownership,
  { receiptSigner: next, formerReceiptKey, isReceiptKeyLost, deployment }: RotationOrder,
): Promise<HandOver | null> {
  if (former === next) return null
  const known = (await loadHandOvers(db)).flatMap((one) => [one.former, one.next])
  if (known.includes(next)) throw new Error(`${next} was the receipt key before; take a new one`)
  const handOver = { former, next, lastGroup: (await nextGroup(db)) - 1n }
  if (isReceiptKeyLost) return { ...handOver, signature: null }
  if (!formerReceiptKey || addressOfKey(formerReceiptKey) !== former)
    throw new Error(
      `the former receipt key, of ${former}, has to vouch for the new one: give it in JANDON_FORMER_RECEIPT_KEY or its keystore in ` +
        'JANDON_FORMER_RECEIPT_KEYSTORE; if it is lost, add --receipt-key-lost, and tell all who keep receipts the new address',
    )
  const digest = handOverDigest(handOver, hubDomainSeparator(deployment))
  return { ...handOver, signature: createDigestSigner(formerReceiptKey)(digest) }
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
