// Lists of tips by channel and by recipient, newest first, with a cursor that stays valid while tips arrive.

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { TipView } from '#protocol/messages/tips.ts'
import type { VaultAccounts } from '../creators/vault-accounts.ts'
import { storedTips } from '../store/group-rows.ts'
import type { Database, Table } from '../store/table.ts'
import { table } from '../store/table.ts'
import type { ChannelRegistry } from './registry.ts'

export const tipsByChannel = table<null>('tip-by-channel')
export const tipsByRecipient = table<null>('tip-by-recipient')

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

  async function list(index: Table<null>, owner: Hex, { cursor, limit }: Page) {
    if (cursor !== undefined && !/^[0-9a-f]{16}\/[0-9a-f]{8}$/.test(cursor)) {
      throw new HubError('invalid_request', `"${cursor}" is not a cursor`, {
        values: { issues: ['cursor'] },
      })
    }
    const before = cursor === undefined ? `${owner}0` : `${owner}/${cursor}`
    const keys = await index.list(db, {
      after: `${owner}/`,
      before,
      limit: limit + 1,
      reverse: true,
    })
    const tips = keys.slice(0, limit).map(({ key }) => view(key.slice(owner.length + 1)))
    return { tips, next: keys.length > limit ? (tips.at(-1)?.cursor ?? null) : null }
  }

  function view(place: string): TipView {
    const stored = storedTips.get(db, place)
    if (!stored) throw new Error(`tip ${place} is listed but missing`)
    const { leaf, note } = stored
    const { basketId, channelId, to, ref, amount, fee } = leaf
    return {
      cursor: place,
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
