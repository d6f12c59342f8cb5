// What a watchtower knows of a channel, taken into the books of a restored hub.

import type { Address, Hex } from 'viem'
import { hexToBytes } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { CeilingProof, TicksProof } from '../channels/channel.ts'
import { explain } from '../channels/channel.ts'
import { checkedProof } from '../channels/claim-proof.ts'
import type { ChannelRegistry } from '../channels/registry.ts'
import type { SignatureBackend } from '../channels/signature-backend.ts'
import { accounts } from '../ledger/accounts.ts'
import { move } from '../ledger/entry.ts'
import type { Change, GroupLog } from '../store/group-log.ts'
import type { OpenStream } from '../streams/stream.ts'
import type { StreamBook } from '../streams/stream-book.ts'
import type { NamedRow } from '../tower/row.ts'

/** A channel as the feed had it last: the best proof of its ceiling, and what was charged, base units. */
export type TowerCharge = { channelId: Hex; proof: CeilingProof; charged: bigint }

export type TowerRowDeps = {
  channels: ChannelRegistry
  backend: SignatureBackend
  separatorOf: (contract: Address) => Hex
  now: () => number
}

/**
 * Takes over all that a row has above the books; resolves when it is on disk. A stream that the backup does not know is open
 * again, with the ticks that the tower has of it: it ends as any other out of the backup does, by a receipt of its true end,
 * its payer's basket, or, when the books are reconciled, by the hub.
 *
 * @throws HubError as {@link takeOverTowerRow}
 */
export async function takeOverTower(
  deps: TowerRowDeps & { log: GroupLog; streamBook: StreamBook },
  { channelId, proof, charged, stream }: NamedRow,
): Promise<void> {
  const channel = deps.channels.get(channelId)
  const ceiling = channel.proof?.maxClaimableAmount ?? 0n
  if (proof && (charged > channel.charged || proof.maxClaimableAmount > ceiling))
    await deps.log.commit(takeOverTowerRow(deps, { channelId, proof, charged }))
  if (stream) await takeOverStream(deps, channelId, stream)
}

async function takeOverStream(
  deps: TowerRowDeps & { log: GroupLog; streamBook: StreamBook },
  channelId: Hex,
  { commitment, signature, ticks, preimage, ...given }: TicksProof,
) {
  const { log, streamBook, now } = deps
  provenOn(deps, channelId, { ...given, commitment, signature, ticks, preimage })
  const open = streamBook.onChannel(channelId)
  const known = open?.commitment.root === commitment.root ? open : undefined
  if (!known && (open || streamBook.useOf(channelId, commitment.root))) return
  const stream = known ?? (await openAgain())
  if (ticks <= stream.ticks) return
  const own = hexToBytes(preimage)
  const added = commitment.tickAmount * BigInt(ticks - stream.ticks)
  const row = streamBook.advance(stream, { ticks, preimage: own, added, at: now() })
  await log.tick({ stream: stream.number, ticks, preimage: own }, row)

  async function openAgain(): Promise<OpenStream> {
    const draft = { commitment, signature, session: towerSession }
    const opened = streamBook.open(draft, now())
    await log.commit({ rows: opened.rows })
    opened.stream.isOnDisk = true
    return opened.stream
  }
}

/** No session has this name, so that nobody reveals on a stream that was opened again. */
const towerSession = 'tower'

/**
 * Takes over a row; the change must be committed in the same tick. What was charged above the books is owed to nobody known:
 * it stands in suspense until receipts explain it, as a claim above the books does, and can be claimed at once.
 *
 * @throws HubError `unknown_channel`; `bad_signature` for a proof that the payer did not sign; `ceiling_too_low` for a charge
 * above the proof.
 */
export function takeOverTowerRow(
  deps: TowerRowDeps,
  { channelId, proof: given, charged }: TowerCharge,
): Change {
  const { channels, now } = deps
  const channel = channels.get(channelId)
  const { token: currency } = channel.config
  const proof = provenOn(deps, channelId, given)
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

function provenOn(
  { channels, backend, separatorOf }: TowerRowDeps,
  channelId: Hex,
  given: CeilingProof,
): CeilingProof {
  const { config, contract } = channels.get(channelId)
  const expected = config.payerAuthorizer
  const separator = separatorOf(contract)
  const proof = checkedProof(given, { channelId, signer: expected, separator, backend })
  if (proof) return proof
  throw new HubError('bad_signature', `the proof is not signed by ${expected}`, {
    values: { expected },
  })
}
