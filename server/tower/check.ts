// What a tower takes: rows of its own hub's channels, with proofs that the payers signed. It trusts the hub with nothing else.

import type { Address, Hex } from 'viem'
import { channelId } from '#protocol/channel.ts'
import type { TicksProof } from '../channels/channel.ts'
import { checkedProof } from '../channels/claim-proof.ts'
import type { SignatureBackend } from '../channels/signature-backend.ts'
import type { NamedRow, TowerRow } from './row.ts'

/** The hub whose channels are watched, and the separator of its contract. */
export type Watched = {
  vault: Address
  hubAccount: Address
  separator: Hex
  backend: SignatureBackend
}

/** The row under its channel's id and with signatures as the contract takes them, or in words why it is not taken. */
export function checkedRow(row: TowerRow, watched: Watched): NamedRow | string {
  const { config, charged } = row
  if (config.receiver !== watched.vault) return `receiver ${config.receiver} is another vault`
  if (config.receiverAuthorizer !== watched.hubAccount)
    return `receiverAuthorizer ${config.receiverAuthorizer} is another hub account`
  const id = channelId(config, watched.separator)
  const of = { ...watched, channelId: id, signer: config.payerAuthorizer }
  const proof = row.proof && checkedProof(row.proof, of)
  if (proof === undefined) return `the proof of channel ${id} does not hold`
  const stream = row.stream && checkedProof(row.stream, of)
  if (stream === undefined) return `the ticks of channel ${id} are not proved`
  const ceiling = proof?.maxClaimableAmount ?? 0n
  if (charged > ceiling) return `channel ${id}: ${charged} charged, the proof allows ${ceiling}`
  return { config, charged, proof, stream: stream as TicksProof | null, channelId: id }
}
