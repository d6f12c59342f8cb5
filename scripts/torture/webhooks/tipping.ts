// Tips that reach the hub whatever happens to it: what had no answer is sent again until it has one.

import type { PrivateKeyAccount } from 'viem'
import { tipsTotal } from '#protocol/tip.ts'
import type { OpenChannel } from '../../../test/support/channels.ts'
import { openChannel } from '../../../test/support/channels.ts'
import type { HubFixture } from '../../../test/support/hub.ts'
import { newCreator, signBasket, tipOf } from '../../../test/support/paper.ts'

export type Tipping = {
  creator: PrivateKeyAccount
  channel: OpenChannel
  /** When each tip was acknowledged (Unix milliseconds), by its ref. */
  acknowledged: ReadonlyMap<string, number>
  /** Sends one basket of tips of one base unit. Resolves when it is acknowledged. */
  tip(count: number): Promise<void>
}

const againMs = 50

export async function startTipping(hub: HubFixture): Promise<Tipping> {
  const creator = await newCreator(hub, 'busker')
  const channel = await openChannel(hub)
  const acknowledged = new Map<string, number>()
  let maxClaimableAmount = 0n

  return {
    creator,
    channel,
    acknowledged,
    async tip(count) {
      const tips = Array.from({ length: count }, () => tipOf(creator, 1n))
      maxClaimableAmount += tipsTotal(tips)
      const order = { channelId: channel.id, tips, maxClaimableAmount, by: channel.authorizer }
      await send(await signBasket(hub, order))
      const at = Date.now()
      for (const { ref } of tips) acknowledged.set(ref, at)
    },
  }

  async function send(body: object) {
    for (;;) {
      const answer = await hub.call({ path: '/v1/tips', body }).catch(() => undefined)
      if (answer?.status === 200) return
      if (answer && answer.status !== 503) throw new Error(answer.text)
      await pause(againMs)
    }
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds)
  })
}

/** Registers an endpoint for the account of a session and answers its secret. */
export async function register(hub: HubFixture, token: string, url: string): Promise<string> {
  const body = { url, events: ['tip'] }
  const answer = await hub.call({ path: '/v1/webhooks', token, body })
  if (answer.status !== 201) throw new Error(answer.text)
  return String(answer.body['secret'])
}
