// What the former operator key still has under way when it is rotated: brought to its end from what the chain says, or given up.

import type { Address, PublicClient } from 'viem'
import { TransactionReceiptNotFoundError } from 'viem'
import type { Outcome, Sent } from '../chain/sent-book.ts'
import { endedRows, formerRows, nonceByHash, openRows, takenOver } from '../chain/sent-book.ts'
import type { Database, Row } from '../store/table.ts'
import { sortable } from '../store/table.ts'

/** How a transaction ended, in words beside the outcome. */
export type Ending = { sent: Sent; outcome: Outcome; says: string }

/** The chain as it is now and as it is final. */
export type Final = { chain: PublicClient; head: bigint; final: bigint }

/**
 * How everything that is open ends. A call of the hub account that is not mined is dead, because the chain takes it from the new
 * operator only; anything else may still be mined, and is given up only when the operator says so.
 *
 * @throws Error that names each transaction that has to be waited for, and why
 */
export async function endingsOf(
  db: Database,
  {
    former,
    hubAccount,
    at,
    giveUp,
  }: { former: Address; hubAccount: Address; at: Final; giveUp: boolean },
): Promise<Ending[]> {
  const open = (await openRows.list(db)).map(({ value }) => value)
  const used = await at.chain.getTransactionCount({ address: former, blockNumber: at.final })
  const endings: Ending[] = []
  const waits: string[] = []
  for (const sent of open) {
    const ending = await endingOf(sent, { at, used, hubAccount, giveUp })
    if (typeof ending === 'string') waits.push(`  ${nameOf(sent)}: ${ending}`)
    else endings.push(ending)
  }
  if (waits.length === 0) return endings
  throw new Error(
    `transactions of the former operator ${former} are under way:\n${waits.join('\n')}\nLet the hub finish them with the former key, ` +
      'or try again later; --give-up gives up what is not mined',
  )
}

/** The rows that make open and ended transactions those of a former key, so that the new one counts its nonces from its own. */
export async function retire(db: Database, endings: readonly Ending[]): Promise<Row[]> {
  const ended = [
    ...(await endedRows.list(db)).map(({ value }) => value),
    ...endings.map(({ sent, outcome }) => ({ ...sent, outcome })),
  ]
  const open = (await openRows.list(db)).map(({ key }) => openRows.remove(key))
  const rows = ended.flatMap(({ nonce, attempts, outcome }) => {
    const [{ hash: first }] = attempts
    const names = attempts.flatMap(({ hash }) => [
      nonceByHash.remove(hash),
      formerRows.put(hash, { first, outcome }),
    ])
    return [endedRows.remove(sortable(nonce)), ...names]
  })
  return [...open, ...rows, takenOver.remove('')]
}

/** The ending, or why it has to be waited for. */
async function endingOf(
  sent: Sent,
  {
    at: { chain, head, final },
    used,
    hubAccount,
    giveUp,
  }: { at: Final; used: number; hubAccount: Address; giveUp: boolean },
): Promise<Ending | string> {
  const receipt = await receiptOf(chain, sent)
  if (receipt) {
    const { transactionHash: hash, blockNumber } = receipt
    if (blockNumber > final) return `mined in block ${blockNumber} of ${head}, and not final yet`
    const isCancel = sent.attempts.some((one) => one.hash === hash && one.kind === 'cancel')
    const status = isCancel ? 'cancelled' : receipt.status
    return { sent, outcome: { status, hash, blockNumber }, says: status }
  }
  const [{ hash }] = sent.attempts
  const never = { sent, outcome: { status: 'displaced', hash, blockNumber: final } } as const
  if (sent.nonce < used) return { ...never, says: 'displaced by another transaction of its nonce' }
  if (sent.to === hubAccount)
    return { ...never, says: 'given up: the hub account takes it from the new operator only' }
  return giveUp ? { ...never, says: 'given up' } : 'not mined yet, and may still be'
}

async function receiptOf(chain: PublicClient, { attempts }: Sent) {
  for (const { hash } of attempts.toReversed()) {
    try {
      return await chain.getTransactionReceipt({ hash })
    } catch (cause) {
      if (!(cause instanceof TransactionReceiptNotFoundError)) throw cause
    }
  }
  return undefined
}

function nameOf({ purpose, attempts: [{ hash }] }: Sent): string {
  return `${purpose}, transaction ${hash}`
}
