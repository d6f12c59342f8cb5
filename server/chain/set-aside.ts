// Channels whose claim the chain does not take, so that they are not tried again and again, and the operator hears of each.

import type { Hex } from 'viem'
import type { ChannelRegistry } from '../channels/registry.ts'
import { claimOf } from './settlement-plan.ts'

/** A channel whose claim the chain does not take, and why. */
export type SetAside = { channelId: Hex; reason: string }

export type SetAsides = {
  add(aside: SetAside): void
  /** What is still set aside: a claim that went through since, or another proof, takes it out. */
  list(): SetAside[]
}

export function createSetAsides({
  channels,
  onSetAside,
}: {
  channels: ChannelRegistry
  onSetAside: (aside: SetAside) => void
}): SetAsides {
  /** By channel, with the signature of the proof that was refused. */
  const asides = new Map<Hex, SetAside & { signature: Hex | undefined }>()

  return {
    add({ channelId, reason }) {
      const signature = channels.find(channelId)?.proof?.signature
      const known = asides.get(channelId)
      asides.set(channelId, { channelId, reason, signature })
      const isNew = known?.signature !== signature || known?.reason !== reason
      if (isNew) onSetAside({ channelId, reason })
    },
    list() {
      for (const [channelId, { signature }] of asides) {
        const channel = channels.find(channelId)
        const isOver = channel && claimOf(channel) <= channel.totalClaimed
        if (isOver || channel?.proof?.signature !== signature) asides.delete(channelId)
      }
      return [...asides.values()].map(({ channelId, reason }) => ({ channelId, reason }))
    },
  }
}
