// The payer side of streams of ticks over the WebSocket: commitments that are signed, and what pays their ticks.

import type { Hex } from 'viem'
import { hexToBytes } from 'viem'
import { channelsDomain } from '#protocol/channel.ts'
import type { TickCommitment } from '#protocol/tick.ts'
import { createTickChain, tickCommitmentTypes } from '#protocol/tick.ts'
import type { OpenChannel } from './channels.ts'
import type { HubFixture } from './hub.ts'
import { randomHash } from './paper.ts'

/** A commitment with its signature, and the preimage for so many of its ticks. */
export type Committed = {
  commitment: TickCommitment
  signature: Hex
  paying(ticks: number): { ticks: number; preimage: Uint8Array }
}

/** Commits to 100 ticks of 10 from zero to `to`, unless `terms` say otherwise. */
export async function commitTo(
  hub: HubFixture,
  channel: OpenChannel,
  terms: Partial<Omit<TickCommitment, 'root' | 'channelId'>> & { to: Hex },
): Promise<Committed> {
  const { baseAmount = 0n, maxTicks = 100, tickAmount = 10n, to } = terms
  const chain = createTickChain(randomHash(), { channelId: channel.id, baseAmount, maxTicks })
  const commitment = {
    channelId: channel.id,
    to,
    baseAmount,
    tickAmount,
    maxTicks,
    root: chain.root,
  }
  const { chainId, channels } = hub.info
  const signature = await channel.authorizer.signTypedData({
    domain: channelsDomain({ chainId, address: channels.address }),
    types: tickCommitmentTypes,
    primaryType: 'TickCommitment',
    message: commitment,
  })
  return {
    commitment,
    signature,
    paying: (ticks) => ({ ticks, preimage: hexToBytes(chain.preimage(ticks)) }),
  }
}
