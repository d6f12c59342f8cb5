// Lists of tips by channel and by recipient, newest first, with a cursor that stays valid while tips arrive.

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { TipView } from '#protocol/messages/tips.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import {
  groupTips,
  placeKey,
  tipsByChannel,
  tipsByRecipient,
  unpackPlaces,
} from '../store/group-rows.ts'
import type { Database, Table } from '../store/table.ts'
import { sortable } from '../store/table.ts'
import { decodeTip } from '../store/tip-codec.ts'
import type { ChannelRegistry } from './registry.ts'

type Place = { group: bigint; index: number }

const groupsPerRead = 50

export type Page = { cursor: string | undefined; limit: number }

export type TipLists = {
  ofChannel(channelId: Hex, page: Page): Promise<{ tips: TipView[]; next: string | null }>
  ofRecipient(to: Hex, page: Page): Promise<{ tips: TipView[]; next: string | null }>
}

export function createTipLists({
  db,
  channels,
  vaultAccounts,
}: {
  db: Database
  channels: ChannelRegistry
  vaultAccounts: VaultAccounts
}): TipLists {
  return {
    ofChannel: (channelId, page) => list(tipsByChannel, channelId, page),
    ofRecipient: (to, page) => list(tipsByRecipient, to, page),
  }

  async function list(index: Table<Uint8Array>, owner: Hex, { cursor, limit }: Page) {
    const tips: TipView[] = []
    for await (const place of places(index, owner, cursor)) {
      if (tips.length === limit) return { tips, next: tips.at(-1)?.cursor ?? null }
      tips.push(view(place))
    }
    return { tips, next: null }
  }

  /** The places of an owner's tips that come before a cursor, newest first. */
  async function* places(index: Table<Uint8Array>, owner: Hex, cursor: string | undefined) {
    const from = cursor === undefined ? undefined : parseCursor(cursor)
    for await (const place of placesFrom(index, owner, from?.group)) {
      if (place.group !== from?.group || place.index < from.index) yield place
    }
  }

  /** The places of an owner's tips in a group and all before it, newest first. */
  async function* placesFrom(index: Table<Uint8Array>, owner: Hex, group: bigint | undefined) {
    let before = group === undefined ? `${owner}0` : `${owner}/${sortable(group)}0`
    for (;;) {
      const rows = await index.list(db, {
        after: `${owner}/`,
        before,
        limit: groupsPerRead,
        reverse: true,
      })
      yield* rows.flatMap((row) => placesIn(row, owner))
      const last = rows.at(-1)
      if (!last) return
      before = last.key
    }
  }

  function view({ group, index }: Place): TipView {
    const row = groupTips.get(db, sortable(group))
    if (!row) throw new Error(`the tips of group ${group} are listed but missing`)
    const { leaf, note } = decodeTip(row, { group, index })
    const { basketId, channelId, to, ref, amount, fee } = leaf
    return {
      cursor: placeKey(group, index),
      basketId,
      channelId,
      payer: note.payer,
      token: note.token,
      to,
      ref,
      amount,
      fee,
      message: note.message,
      acceptedAt: BigInt(note.acceptedAt),
      progress: progress(leaf, note.token),
    }
  }

  function progress(
    leaf: { to: Hex; channelId: Hex; chargedAfter: bigint; acceptedAfter: bigint },
    token: Address,
  ) {
    const credited = vaultAccounts.get(token, `0x${leaf.to.slice(26)}`).credited
    if (credited >= leaf.acceptedAfter) return 'yours'
    return channels.get(leaf.channelId).totalClaimed >= leaf.chargedAfter ? 'claimed' : 'accepted'
  }
}

function placesIn({ key, value }: { key: string; value: Uint8Array }, owner: Hex): Place[] {
  const group = BigInt(`0x${key.slice(owner.length + 1)}`)
  return unpackPlaces(value)
    .reverse()
    .map((index) => ({ group, index }))
}

function parseCursor(cursor: string): Place {
  if (!/^[0-9a-f]{16}\/[0-9a-f]{8}$/.test(cursor)) {
    throw new HubError('invalid_request', `"${cursor}" is not a cursor`, {
      values: { issues: ['cursor'] },
    })
  }
  const [group = '', index = ''] = cursor.split('/')
  return { group: BigInt(`0x${group}`), index: Number.parseInt(index, 16) }
}
