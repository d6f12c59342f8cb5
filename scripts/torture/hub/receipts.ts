// Everything that receipts promise, added up: each proves its own tips, and all together are one chain of groups and one row of
// totals.

import type { Address, Hex } from 'viem'
import { basketReceipt } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { BasketReceipt } from '#protocol/receipt.ts'
import { headerHash, receiptFault } from '#protocol/receipt.ts'
import type { Tip } from '#protocol/tip.ts'

/** What was sent for a receipt. */
export type Promised = { channelId: Hex; basketId: Hex; tips: readonly Tip[] }

export type Receipts = {
  /** Takes a receipt as it came, and says what is wrong with it. The same basket must always bring the same. */
  take(promised: Promised, receipt: unknown): Promise<string | undefined>
  count(): number
  ids(): Iterable<Hex>
  /** What is wrong with all of them together. */
  fault(): string | undefined
  /** What a creator was accepted in all, base units. */
  acceptedOf(to: Hex): bigint
}

type Terms = {
  hub: { chainId: number; hubAccount: Address }
  receiptSigner: Address
  feeTo: Hex
  feeBasisPoints: bigint
}

export function createReceipts(terms: Terms): Receipts {
  const receipts = new Map<Hex, { receipt: BasketReceipt; text: string }>()

  return {
    async take(promised, sent) {
      const parsed = basketReceipt.safeParse(sent)
      if (!parsed.success) return `basket ${promised.basketId} got no receipt: ${toJson(sent)}`
      const text = toJson(parsed.data)
      const known = receipts.get(promised.basketId)
      if (known) {
        if (known.text === text) return undefined
        return `basket ${promised.basketId} got another receipt: ${text}, not ${known.text}`
      }
      receipts.set(promised.basketId, { receipt: parsed.data, text })
      return (await receiptFault(parsed.data, terms)) ?? contentFault(parsed.data, promised, terms)
    },
    count: () => receipts.size,
    ids: () => receipts.keys(),
    fault: () => totalsFault(inOrder(), terms) ?? chainFault(inOrder()),
    acceptedOf: (to) =>
      leavesOf(inOrder())
        .filter((leaf) => leaf.to === to)
        .reduce((sum, { amount, fee }) => sum + amount - fee, 0n),
  }

  function inOrder(): BasketReceipt[] {
    return [...receipts.values()].map(({ receipt }) => receipt).sort(byPlace)
  }
}

/** A receipt must be of the very tips that were signed, less the fee of PROTOCOL.md, rounded down. */
function contentFault(
  { basketId, tips }: BasketReceipt,
  promised: Promised,
  { feeTo, feeBasisPoints }: Terms,
): string | undefined {
  const wanted = promised.tips.map(({ to, amount, ref }) => {
    const fee = to === feeTo ? 0n : (amount * feeBasisPoints) / 10_000n
    return { basketId: promised.basketId, channelId: promised.channelId, to, amount, ref, fee }
  })
  const found = tips.map(({ leaf }) => {
    const { channelId, to, amount, ref, fee } = leaf
    return { basketId: leaf.basketId, channelId, to, amount, ref, fee }
  })
  if (toJson(found) === toJson(wanted) && basketId === promised.basketId) return undefined
  return `basket ${promised.basketId} of ${toJson(wanted)} got a receipt of ${toJson(found)}`
}

/** The totals after each tip: what the channel was charged, and what the creator was accepted. */
function totalsFault(receipts: readonly BasketReceipt[], { feeTo }: Terms): string | undefined {
  const charged = new Map<Hex, bigint>()
  const accepted = new Map<Hex, bigint>()
  for (const leaf of leavesOf(receipts)) {
    const { channelId, to, amount, fee, chargedAfter, acceptedAfter, group, index } = leaf
    const total = (charged.get(channelId) ?? 0n) + amount
    charged.set(channelId, total)
    const net = (accepted.get(to) ?? 0n) + amount - fee
    accepted.set(to, net)
    const name = `tip ${index} of group ${group}`
    if (chargedAfter !== total) return `${name} says charged ${chargedAfter}, it is ${total}`
    if (to !== feeTo && acceptedAfter !== net) {
      return `${name} says accepted ${acceptedAfter} for ${to}, it is ${net}`
    }
  }
  return undefined
}

/** One header per number, and each names the one before. */
function chainFault(receipts: readonly BasketReceipt[]): string | undefined {
  const hashes = new Map<bigint, Hex>()
  for (const { header } of receipts) {
    const hash = headerHash(header)
    const same = hashes.get(header.number)
    if (same !== undefined && same !== hash) return `there are two groups ${header.number}`
    const before = hashes.get(header.number - 1n)
    if (before !== undefined && before !== header.previous) {
      return `group ${header.number} does not follow group ${header.number - 1n}`
    }
    hashes.set(header.number, hash)
  }
  return undefined
}

function leavesOf(receipts: readonly BasketReceipt[]) {
  return receipts.flatMap(({ tips }) => tips.map(({ leaf }) => leaf))
}

function byPlace(a: BasketReceipt, b: BasketReceipt): number {
  if (a.header.number !== b.header.number) return a.header.number < b.header.number ? -1 : 1
  return (a.tips[0]?.leaf.index ?? 0) - (b.tips[0]?.leaf.index ?? 0)
}
