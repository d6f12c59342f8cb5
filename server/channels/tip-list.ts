// Lists of tips by channel and by recipient, newest first, with a cursor that stays valid while tips arrive.

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { TipView } from '#protocol/messages/tips.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import { groupTips, placeKey } from '../store/group-rows.ts'
import type { Database } from '../store/table.ts'
import { sortable } from '../store/table.ts'
import { decodeTip } from '../store/tip-codec.ts'
import type { Place, TipIndex, TipOwner } from '../store/tip-index.ts'
import type { ChannelRegistry } from './registry.ts'

export type Page = { cursor: string | undefined; limit: number }

export type TipLists = {
  ofChannel(channelId: Hex, page: Page): Promise<{ tips: TipView[]; next: string | null }>
  ofRecipient(to: Hex, page: Page): Promise<{ tips: TipView[]; next: string | null }>
}

export function createTipLists({
  db,
  tipIndex,
  channels,
  vaultAccounts,
}: {
  db: Database
  tipIndex: TipIndex
  channels: ChannelRegistry
  vaultAccounts: VaultAccounts
}): TipLists {
  return {
    ofChannel: (owner, page) => list({ list: 'channel', owner }, page),
    ofRecipient: (owner, page) => list({ list: 'recipient', owner }, page),
  }

  async function list(of: TipOwner, { cursor, limit }: Page) {
    const before = cursor === undefined ? undefined : parseCursor(cursor)
    const tips: TipView[] = []
    for await (const place of tipIndex.places(db, of, before)) {
      if (tips.length === limit) return { tips, next: tips.at(-1)?.cursor ?? null }
      tips.push(view(place))
    }
    return { tips, next: null }
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

function parseCursor(cursor: string): Place {
  if (!/^[0-9a-f]{16}\/[0-9a-f]{8}$/.test(cursor)) {
    throw new HubError('invalid_request', `"${cursor}" is not a cursor`, {
      values: { issues: ['cursor'] },
    })
  }
  const [group = '', index = ''] = cursor.split('/')
  return { group: BigInt(`0x${group}`), index: Number.parseInt(index, 16) }
}
