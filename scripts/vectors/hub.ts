// The vectors of what the hub and the creators sign: quotes, payments, registrations, headers and receipts.

import type { Hex } from 'viem'
import { concatHex, encodePacked, hashStruct, keccak256, numberToHex, pad, stringToHex } from 'viem'

import { channels, vouchers } from './channels.ts'
import {
  creator,
  fullAddress,
  fullHash,
  hubDomain,
  lower,
  maxUint64,
  maxUint128,
  maxUint256,
  receiptSigner,
  signed,
  some,
  token,
  treasury,
  types,
  type Values,
  vaultDomain,
  zeroHash,
} from './typed-data.ts'

type LeafVector = Record<string, bigint | number | Hex> & { voucherSignature: Hex }

// The pairs stand in the order of their names, which is what the commitment hashes.
export const destinations = [
  [],
  [
    ['bic', 'COBADEFFXXX'],
    ['iban', 'DE89370400440532013000'],
    ['name', 'Zoë "Z" Müller'],
  ],
].map((pairs) => ({
  destination: Object.fromEntries([...pairs].reverse()),
  hash: keccak256(stringToHex(JSON.stringify(pairs))),
}))

export const quotes = await Promise.all(
  [
    {
      quoteId: some('quote 0'),
      account: lower(creator.address),
      token,
      gross: 25_000_000n,
      rail: 'sepa',
      currency: 'EUR',
      net: 2_264n,
      destination: destinations[1]?.hash ?? zeroHash,
      expiresAt: 1_790_000_000_000n,
    },
    {
      quoteId: fullHash,
      account: fullAddress,
      token: fullAddress,
      gross: maxUint128,
      rail: '',
      currency: '₩',
      net: maxUint128,
      destination: fullHash,
      expiresAt: maxUint64,
    },
  ].map(async (message) => ({
    ...(await signed(receiptSigner, { domain: hubDomain, primaryType: 'PayoutQuote', message })),
    hash: hashStruct({ types, primaryType: 'PayoutQuote', data: message }),
  })),
)

export const payments = await Promise.all(
  [
    {
      account: lower(creator.address),
      token,
      to: treasury,
      amount: 25_000_000n,
      memo: quotes[0]?.hash ?? zeroHash,
      nonce: 0n,
      deadline: 1_790_000_000n,
    },
    {
      account: lower(creator.address),
      token,
      to: fullAddress,
      amount: maxUint128,
      memo: fullHash,
      nonce: maxUint256,
      deadline: maxUint256,
    },
  ].map((message) => signed(creator, { domain: vaultDomain, primaryType: 'Payment', message })),
)

export const creditedEntries = [
  [],
  [{ account: lower(creator.address), credited: 0n }],
  [
    { account: lower(creator.address), credited: 55_000n },
    { account: treasury, credited: 1n },
    { account: fullAddress, credited: maxUint128 },
  ],
].map((list) => ({
  list,
  entries: concatHex(
    list.map(({ account, credited }) => encodePacked(['address', 'uint128'], [account, credited])),
  ),
}))

export const creators = await Promise.all(
  [
    { handle: 'busker', account: lower(creator.address), displayName: 'The Busker' },
    { handle: 'a1', account: lower(creator.address), displayName: '거리의 악사' },
  ].map((message) => signed(creator, { domain: hubDomain, primaryType: 'Creator', message })),
)

export const headers = await Promise.all(
  [
    {
      epoch: some('epoch'),
      number: 0n,
      previous: zeroHash,
      tipsRoot: zeroHash,
      tipCount: 0,
      journalHash: some('journal'),
      closedAt: 1_790_000_000_000n,
    },
    {
      epoch: fullHash,
      number: maxUint64,
      previous: fullHash,
      tipsRoot: fullHash,
      tipCount: 2 ** 32 - 1,
      journalHash: fullHash,
      closedAt: maxUint64,
    },
  ].map(signedHeader),
)

export const receipts = await Promise.all([1, 2, 3, 5, 8].map(receiptOf))

async function signedHeader<Header extends Values>(header: Header) {
  const { digest, signer, signature } = await signed(receiptSigner, {
    domain: hubDomain,
    primaryType: 'CommitGroup',
    message: header,
  })
  const hash = hashStruct({ types, primaryType: 'CommitGroup', data: header })
  return { header, hash, digest, signer, signature }
}

/** A commit group of `count` tips in two baskets, the first of which holds the first two tips. */
async function receiptOf(count: number) {
  const leaves = Array.from({ length: count }, (_, index) => {
    const basket = index < 2 ? 'a' : 'b'
    return {
      salt: some(`leaf ${count} ${index}`),
      epoch: some('epoch'),
      group: BigInt(count),
      index,
      channelId: channels[0]?.channelId ?? zeroHash,
      basketId: some(`basket ${basket}`),
      voucherSignature: vouchers[index < 2 ? 0 : 1]?.signature ?? '0x',
      to: pad(lower(creator.address)),
      ref: some(`leaf ref ${index}`),
      amount: 50_000n + BigInt(index),
      fee: BigInt(index),
      chargedAfter: 1_000_000n * BigInt(index + 1),
      acceptedAfter: maxUint128 - BigInt(index),
    }
  })
  const hashes = leaves.map(hashOfLeaf)
  const { header, hash, digest, signer, signature } = await signedHeader({
    epoch: some('epoch'),
    number: BigInt(count),
    previous: some(`header ${count - 1}`),
    tipsRoot: rootOf(hashes),
    tipCount: count,
    journalHash: some(`journal ${count}`),
    closedAt: 1_790_000_000_000n + BigInt(count),
  })
  const tips = leaves.map((leaf, index) => ({
    leaf,
    hash: hashes[index],
    path: pathOf(hashes, index),
  }))
  return { header, hash, digest, signer, signature, tips }
}

function hashOfLeaf(leaf: LeafVector): Hex {
  const words = Object.entries(leaf).map(([name, value]) => {
    if (name === 'voucherSignature') return keccak256(leaf.voucherSignature)
    return typeof value === 'string' ? pad(value) : numberToHex(value, { size: 32 })
  })
  return keccak256(concatHex(['0x00', ...words]))
}

/** Top down, as in RFC 6962: the left half is the largest power of two below the count. */
function rootOf(hashes: readonly Hex[]): Hex {
  const [only = zeroHash] = hashes
  if (hashes.length <= 1) return only
  const half = halfOf(hashes)
  return keccak256(concatHex(['0x01', rootOf(hashes.slice(0, half)), rootOf(hashes.slice(half))]))
}

function pathOf(hashes: readonly Hex[], index: number): Hex[] {
  if (hashes.length <= 1) return []
  const half = halfOf(hashes)
  const [left, right] = [hashes.slice(0, half), hashes.slice(half)]
  return index < half
    ? [...pathOf(left, index), rootOf(right)]
    : [...pathOf(right, index - half), rootOf(left)]
}

function halfOf({ length }: readonly Hex[]): number {
  return 2 ** Math.floor(Math.log2(length - 1))
}
