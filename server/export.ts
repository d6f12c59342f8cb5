// Everything that the hub's books say, line by line, for whoever checks them against the chain and the bank.

import type { Hex } from 'viem'
import type { PayoutView } from '#protocol/messages/payouts.ts'
import type { ReceiptLeaf } from '#protocol/receipt.ts'
import type { Channel } from './channels/channel.ts'
import type { ChannelRegistry } from './channels/registry.ts'
import type { Entry } from './ledger/entry.ts'
import { payoutView } from './payouts/payout.ts'
import type { PayoutBook } from './payouts/payout-book.ts'
import { groups, ledgerEntries, readTips } from './store/group-rows.ts'
import type { Database, Table } from './store/table.ts'
import type { TipNote } from './store/tip-codec.ts'

export type ExportLine =
  | ({ kind: 'channel'; channelId: Hex } & Pick<
      Channel,
      'config' | 'charged' | 'unexplained' | 'held' | 'totalClaimed' | 'balance'
    >)
  | ({ kind: 'tip' } & ReceiptLeaf & TipNote)
  | ({ kind: 'entry' } & Entry)
  | ({ kind: 'payout' } & PayoutView)

const rowsPerRead = 1_000

/** Channels and payouts as they are, then every tip and every ledger entry in the order of their commit. */
export async function* exportBooks({
  db,
  channels,
  payoutBook,
}: {
  db: Database
  channels: ChannelRegistry
  payoutBook: PayoutBook
}): AsyncGenerator<ExportLine> {
  for (const channel of channels.all()) {
    const { id, config, charged, unexplained, held, totalClaimed, balance } = channel
    const amounts = { charged, unexplained, held, totalClaimed, balance }
    yield { kind: 'channel', channelId: id, config, ...amounts }
  }
  for (const payout of payoutBook.all()) yield { kind: 'payout', ...payoutView(payout) }
  for await (const { header } of readAll(db, groups)) {
    if (header.tipCount === 0) continue
    for (const { leaf, note } of readTips(db, header.number))
      yield { kind: 'tip', ...leaf, ...note }
  }
  for await (const entry of readAll(db, ledgerEntries)) yield { kind: 'entry', ...entry }
}

async function* readAll<T>(db: Database, rows: Table<T>): AsyncGenerator<T> {
  for (let after = ''; ; ) {
    const page = await rows.list(db, { after, limit: rowsPerRead })
    for (const { value } of page) yield value
    const last = page.at(-1)
    if (!last) return
    after = last.key
  }
}
