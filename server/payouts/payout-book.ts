// All payouts, in memory and on disk. The only place that changes one: state, ledger entry and event in one change (R15).

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { Entry, Leg } from '../ledger/entry.ts'
import type { Change } from '../store/group-log.ts'
import type { Database, Row } from '../store/table.ts'
import { table } from '../store/table.ts'
import type { Payout, Transition } from './payout.ts'
import { payoutView } from './payout.ts'

const payoutRows = table<Payout>('payout')

export type PayoutBook = {
  find(payoutId: Hex): Payout | undefined
  /** @throws HubError `unknown_payout` */
  get(payoutId: Hex): Payout
  byEndToEndId(endToEndId: string): Payout | undefined
  all(): Iterable<Payout>
  /** An account's payouts, newest first. */
  ofAccount(account: Address): Payout[]
  /** Takes over a payout; the row must be committed in the same tick. */
  remember(payout: Payout): Row
  /** A transition as one change. `cause` makes the entry's id unique to what brought it about. */
  change(transition: Transition, cause: string): Change
  entry(id: string, what: { reason: string; legs: Leg[] }): Entry
}

export async function loadPayoutBook({
  db,
  now,
}: {
  db: Database
  now: () => number
}): Promise<PayoutBook> {
  const payouts = new Map((await payoutRows.list(db)).map(({ value }) => [value.payoutId, value]))
  const entry = (id: string, { reason, legs }: { reason: string; legs: Leg[] }): Entry => ({
    id,
    at: now(),
    reason,
    reference: id,
    legs,
  })

  return {
    find: (payoutId) => payouts.get(payoutId),
    get(payoutId) {
      const payout = payouts.get(payoutId)
      if (!payout)
        throw new HubError('unknown_payout', `payout ${payoutId} is not known here`, {
          values: { payoutId },
        })
      return payout
    },
    byEndToEndId: (id) => [...payouts.values()].find(({ endToEndId }) => endToEndId === id),
    all: () => payouts.values(),
    ofAccount: (account) =>
      [...payouts.values()]
        .filter(({ quote }) => quote.account === account)
        .sort((a, b) => b.requestedAt - a.requestedAt),
    remember,
    change({ payout, legs }, cause) {
      const { payoutId, state, reason, quote } = payout
      const id = `${payoutId}:${state}:${cause}`
      return {
        rows: [remember(payout)],
        entries: legs.length > 0 ? [entry(id, { reason, legs })] : [],
        events: [{ audience: [quote.account], type: 'payout', data: toJson(payoutView(payout)) }],
      }
    },
    entry,
  }

  function remember(payout: Payout): Row {
    payouts.set(payout.payoutId, payout)
    return payoutRows.put(payout.payoutId, payout)
  }
}
