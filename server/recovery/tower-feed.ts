// What a watchtower's feed knows of a channel, taken into the books: where a feed is read, this is what it calls for each row.

import type { Address, Hex } from 'viem'
import { HubError } from '#protocol/errors.ts'
import { tipVoucherDigest } from '#protocol/tip.ts'
import type { VoucherProof } from '../channels/channel.ts'
import { explain } from '../channels/channel.ts'
import { signatureOf } from '../channels/claim-proof.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { SignatureBackend } from '../channels/signature-backend.ts'
import { accounts } from '../ledger/accounts.ts'
import { move } from '../ledger/entry.ts'
import type { Change } from '../store/group-log.ts'

/** A channel as the feed had it last: the best proof of its ceiling, and what was charged, base units. */
export type TowerRow = { channelId: Hex; proof: VoucherProof; charged: bigint }

/**
 * Takes over a row; the change must be committed in the same tick. What was charged above the books is owed to nobody known:
 * it stands in suspense until receipts explain it, as a claim above the books does, and can be claimed at once.
 *
 * @throws HubError `unknown_channel`; `bad_signature` for a proof that the payer did not sign; `ceiling_too_low` for a charge
 * above the proof.
 */
export function takeOverTowerRow(
  {
    channels,
    backend,
    separatorOf,
    now,
  }: {
    channels: ChannelRegistry
    backend: SignatureBackend
    separatorOf: (contract: Address) => Hex
    now: () => number
  },
  { channelId, proof, charged }: TowerRow,
): Change {
  const channel = channels.get(channelId)
  const { payerAuthorizer: expected, token: currency } = channel.config
  const digest = tipVoucherDigest({ channelId, ...proof }, separatorOf(channel.contract))
  if (!signatureOf(expected, digest, { signature: proof.signature, backend })) {
    throw new HubError('bad_signature', `the proof is not signed by ${expected}`, {
      values: { expected },
    })
  }
  const ceiling = proof.maxClaimableAmount
  if (charged > ceiling) {
    throw new HubError('ceiling_too_low', `${charged} is charged, the proof allows ${ceiling}`, {
      values: { charged, ceiling },
    })
  }
  const known = explain(channel, { amount: 0n, proof })
  const added = charged > channel.charged ? charged - channel.charged : 0n
  const row = channels.update({
    ...known,
    charged: channel.charged + added,
    unexplained: channel.unexplained + added,
  })
  if (added === 0n) return { rows: [row] }
  const legs = move(
    { debit: accounts.channels, credit: accounts.suspense },
    { currency, amount: added },
  )
  const id = `tower:${channelId}:${charged}`
  return {
    rows: [row],
    entries: [{ id, at: now(), reason: 'charged as the tower saw', reference: channelId, legs }],
  }
}
