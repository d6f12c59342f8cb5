// What a connection has to tell: receipts of a commit group in one frame, ticks of a moment in another, refusals as text.

import { type HubError, toProblem } from '#protocol/errors.ts'
import type { FramedReceipt } from '#protocol/frames.ts'
import { encodeReceipts, encodeTicked } from '#protocol/frames.ts'
import { rangeSiblings } from '#protocol/merkle.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { Accepted } from '../channels/baskets.ts'
import type { ClosedGroup } from '../store/group-log.ts'
import { proofsOf } from '../store/proofs.ts'

export type Answers = {
  /** Takes the answer to a request; it leaves with the others of its group. */
  accepted(request: number, accepted: Accepted): void
  /** Takes note that ticks are on disk; of each stream the newest leaves. */
  ticked(stream: number, ticks: number): void
  refused(refused: { request: number | null; stream?: number }, refusal: HubError): void
}

/** `send` takes a text or a binary frame. */
export function createAnswers(send: (frame: string | Uint8Array) => void): Answers {
  const waiting = new Map<ClosedGroup, FramedReceipt[]>()
  const ticked = new Map<number, number>()

  return {
    accepted(request, { committed, channel }) {
      if (waiting.size === 0) setImmediate(sendAll)
      const receipts = waiting.get(committed.group)
      const receipt = frame(request, { committed, channel })
      if (receipts) receipts.push(receipt)
      else waiting.set(committed.group, [receipt])
    },
    ticked(stream, ticks) {
      if (ticked.size === 0) setImmediate(sendTicked)
      ticked.set(stream, ticks)
    },
    refused: (refused, refusal) =>
      send(toJson({ type: 'problem', ...refused, problem: toProblem(refusal) })),
  }

  function sendAll() {
    for (const [{ header, headerSignature }, receipts] of waiting)
      send(encodeReceipts({ header, headerSignature, receipts }))
    waiting.clear()
  }

  function sendTicked() {
    send(encodeTicked([...ticked].map(([stream, ticks]) => ({ stream, ticks }))))
    ticked.clear()
  }
}

function frame(
  request: number,
  { committed, channel }: Pick<Accepted, 'committed' | 'channel'>,
): FramedReceipt {
  const { group, firstIndex, count } = committed
  const range = { first: firstIndex, count }
  const { row, salts } = group
  const proofs = row ? proofsOf({ row, salts }, range) : new Uint8Array()
  const siblings = rangeSiblings(group.levels, range)
  return { request, channel, firstIndex, proofs, siblings }
}
