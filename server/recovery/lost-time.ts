// The time between a backup and its restore, as far as it comes to light: groups and channels that presented receipts tell of.

import type { Hex } from 'viem'
import { larger } from '#protocol/amount.ts'
import type { SyncRequest } from '#protocol/messages/restore.ts'
import { headerHash } from '#protocol/receipt.ts'
import { tipsTotal } from '#protocol/tip.ts'
import type { GroupLog } from '../store/group-log.ts'
import { groups } from '../store/group-rows.ts'
import type { Database, Row } from '../store/table.ts'
import { sortable } from '../store/table.ts'
import type { LostChannel, LostGroup } from './records.ts'
import { lostChannels, lostGroups } from './records.ts'

export type LostTime = {
  /** Remembers a presented receipt; the rows must be committed in the same tick. None when these books hold its group. */
  present(channelId: Hex, request: SyncRequest): Row[]
  /** As {@link LostTime.present}, committed, when there is anything to write. */
  note(channelId: Hex, request: SyncRequest): Promise<void>
  groups(): Iterable<LostGroup>
  channels(): Iterable<[Hex, LostChannel]>
}

const noChannel: LostChannel = { charged: 0n, seen: 0n, presented: 0n }

export async function loadLostTime({
  db,
  log,
}: {
  db: Database
  log: GroupLog
}): Promise<LostTime> {
  const lost = new Map((await lostGroups.list(db)).map(({ key, value }) => [key, value]))
  const touched = new Map(
    (await lostChannels.list(db)).map(({ key, value }) => [key as Hex, value]),
  )

  return {
    present,
    async note(channelId, request) {
      const rows = present(channelId, request)
      if (rows.length > 0) await log.commit({ rows })
    },
    groups: () => lost.values(),
    channels: () => touched.entries(),
  }

  function present(channelId: Hex, { receipt, basket }: SyncRequest): Row[] {
    const { header, tips } = receipt
    const stored = groups.get(db, sortable(header.number))
    if (stored && headerHash(stored.header) === headerHash(header)) return []
    const { epoch, number, tipCount } = header
    const key = `${sortable(number)}/${epoch}`
    const before = lost.get(key)?.places ?? []
    const added = tips.map(({ leaf }) => leaf.index).filter((place) => !before.includes(place))
    if (added.length === 0) return []
    const group = { epoch, number, tipCount, places: [...before, ...added] }
    lost.set(key, group)
    const channel = touched.get(channelId) ?? noChannel
    const after = tips.at(-1)?.leaf.chargedAfter ?? 0n
    touched.set(channelId, {
      ...channel,
      seen: larger(channel.seen, after),
      presented: channel.presented + tipsTotal(basket.tips),
    })
    return [
      lostGroups.putLater(key, () => lost.get(key) ?? group),
      lostChannels.putLater(channelId, () => touched.get(channelId) ?? channel),
    ]
  }
}
