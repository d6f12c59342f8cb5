// Lists of tips by channel and by recipient, newest first, with a cursor that stays valid while tips arrive.

import type { Address, Hex } from 'viem'
import { smaller } from '#protocol/amount.ts'
import { HubError } from '#protocol/errors.ts'
import type { TipView } from '#protocol/messages/tips.ts'
import { tipTo } from '#protocol/tip.ts'
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
  /**
   * What of the tips to an account is claimed and not credited yet, by token, in base units. `owed` is what is not credited; the
   * newest tips are looked at until they explain it, so that of very many the sum is too low.
   */
  claimedTo(account: Address, owed: ReadonlyMap<Address, bigint>): Promise<Map<Address, bigint>>
}

/** How many tips are looked at for one sum, and how many before others get their turn. */
const tipsPerSum = 20_000
const tipsPerTurn = 500

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
    async claimedTo(account, owed) {
      const left = new Map([...owed].filter(([, amount]) => amount > 0n))
      const claimed = new Map<Address, bigint>()
      let looked = 0
      for await (const place of tipIndex.places(db, { list: 'recipient', owner: tipTo(account) })) {
        if (left.size === 0 || looked === tipsPerSum) break
        looked += 1
        if (looked % tipsPerTurn === 0) await new Promise(setImmediate)
        explain(place, { account, left, claimed })
      }
      return claimed
    },
  }

  /** Takes a tip off what is left to explain, and adds it to what is claimed if it is. */
  function explain(
    place: Place,
    {
      account,
      left,
      claimed,
    }: { account: Address; left: Map<Address, bigint>; claimed: Map<Address, bigint> },
  ) {
    const { leaf, note } = read(place)
    const { token } = note
    const missing = left.get(token)
    if (missing === undefined) return
    const uncredited = leaf.acceptedAfter - vaultAccounts.get(token, account).credited
    const part = smaller(leaf.amount - leaf.fee, uncredited)
    if (part <= 0n || part >= missing) left.delete(token)
    else left.set(token, missing - part)
    if (part > 0n && progress(leaf, token) === 'claimed')
      claimed.set(token, (claimed.get(token) ?? 0n) + part)
  }

  function read({ group, index }: Place) {
    const row = groupTips.get(db, sortable(group))
    if (!row) throw new Error(`the tips of group ${group} are listed but missing`)
    return decodeTip(row, { group, index })
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
    const { leaf, note } = read({ group, index })
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
