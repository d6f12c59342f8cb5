// Paper that a hub signs, made for tests with a key of our own: receipts and quotes that hold, to be tampered with.

import type { Hex } from 'viem'
import { bytesToHex, keccak256 } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import { concatBytes } from '#protocol/keccak.ts'
import { merkleLevels, merklePath } from '#protocol/merkle.ts'
import type { QuoteView } from '#protocol/messages/payouts.ts'
import { destinationHash, quoteDigest, quoteHash } from '#protocol/payment.ts'
import type { BasketReceipt, GroupHeader, ReceiptLeaf } from '#protocol/receipt.ts'
import { headerDigest, hubDomainSeparator, leafHash, zeroHash } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { BasketRecord, HubPin } from '../records.ts'

const hubKey: Hex = `0x${'42'.repeat(32)}`

export const payer = privateKeyToAccount(`0x${'51'.repeat(32)}`)

export const hub: HubPin = {
  origin: 'http://127.0.0.1:4021',
  chainId: 31_337,
  channels: `0x${'c1'.repeat(20)}`,
  hubAccount: `0x${'a2'.repeat(20)}`,
  vault: `0x${'f3'.repeat(20)}`,
  collector: `0x${'e4'.repeat(20)}`,
  receiptSigner: lowerCase(privateKeyToAccount(hubKey).address),
  formerSigners: [],
  feeAccount: `0x${'fe'.repeat(20)}`,
}

/** The hub's receipt for a basket, signed over leaves that `change` may have changed first. */
export async function receiptOf(
  basket: BasketRecord,
  change: (leaves: ReceiptLeaf[]) => ReceiptLeaf[] = (leaves) => leaves,
): Promise<BasketReceipt> {
  let charged = basket.maxClaimableAmount
  for (const { amount } of basket.tips) charged -= amount
  const voucherSignature = basket.signatures.at(-1) ?? '0x'
  const leaves = basket.tips.map(({ to, amount, ref }, at): ReceiptLeaf => {
    charged += amount
    return {
      salt: keccak256(ref),
      epoch: hashOf(7),
      group: 12n,
      index: at + 1,
      channelId: basket.channelId,
      basketId: basket.basketId,
      voucherSignature,
      to,
      ref,
      amount,
      fee: amount / 50n,
      chargedAfter: charged,
      acceptedAfter: 1_000_000n + amount,
    }
  })
  return sealed(basket.basketId, change(leaves))
}

/** A quote of 1 token of 6 decimals at 1,350 KRW, signed over terms that `change` may have changed first. */
export async function quoteFor(
  account: Hex,
  change: (quote: QuoteView) => QuoteView = (quote) => quote,
): Promise<QuoteView> {
  const unsigned = change({
    quoteId: hashOf(9),
    account: lowerCase(account),
    token: `0x${'70'.repeat(20)}`,
    gross: 1_000_000n,
    rail: 'iso20022',
    currency: 'KRW',
    net: 850n,
    lines: [
      { kind: 'gross', label: 'Gross', amount: 1_350n },
      { kind: 'rail-fee', label: 'Bank transfer', amount: -500n },
    ],
    rate: { numerator: 1_350n, denominator: 1n, source: 'test', asOf: 1_000n },
    destination: { name: 'Kim', bank: '004', account: '1234567890' },
    expectedArrival: '2026-01-02',
    expiresAt: 2_000_000n,
    treasury: `0x${'7e'.repeat(20)}`,
    hash: zeroHash,
    signature: `0x${'00'.repeat(65)}`,
  })
  const terms = { ...unsigned, destination: destinationHash(unsigned.destination) }
  const hash = quoteDigest(terms, hubDomainSeparator(hub))
  const signature = await sign({ hash, privateKey: hubKey, to: 'hex' })
  return { ...unsigned, hash: quoteHash(terms), signature }
}

/** A hash that is easy to tell apart. */
export function hashOf(byte: number): Hex {
  return `0x${byte.toString(16).padStart(2, '0').repeat(32)}`
}

async function sealed(basketId: Hex, leaves: readonly ReceiptLeaf[]): Promise<BasketReceipt> {
  const before = leafHash({ ...(leaves[0] ?? emptyLeaf()), salt: hashOf(3), index: 0 })
  const levels = merkleLevels(concatBytes([before, ...leaves.map(leafHash)]))
  const header: GroupHeader = {
    epoch: hashOf(7),
    number: 12n,
    previous: hashOf(8),
    tipsRoot: bytesToHex(levels.at(-1) ?? new Uint8Array(32)),
    tipCount: leaves.length + 1,
    journalHash: hashOf(6),
    closedAt: 1_700_000_000_000n,
  }
  const hash = headerDigest(header, hubDomainSeparator(hub))
  const headerSignature = await sign({ hash, privateKey: hubKey, to: 'hex' })
  const tips = leaves.map((leaf) => ({
    leaf,
    path: merklePath(levels, leaf.index).map((node) => bytesToHex(node)),
  }))
  return { basketId, header, headerSignature, tips }
}

function emptyLeaf(): ReceiptLeaf {
  const none = { group: 0n, index: 0, amount: 0n, fee: 0n, chargedAfter: 0n, acceptedAfter: 0n }
  const hashes = { salt: zeroHash, epoch: zeroHash, channelId: zeroHash, basketId: zeroHash }
  return { ...none, ...hashes, voucherSignature: '0x', to: zeroHash, ref: zeroHash }
}
