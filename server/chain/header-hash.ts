// The hash of a block, made from its header: a header that was changed on its way, or whose hash was, does not have it.

import type { Hex } from 'viem'
import { hexToBytes, toRlp } from 'viem'
import { keccak } from '#protocol/keccak.ts'

/** The fields in the order in which they are hashed; those after `nonce` came with later forks, each after the one before. */
const fields = [
  'parentHash',
  'sha3Uncles',
  'miner',
  'stateRoot',
  'transactionsRoot',
  'receiptsRoot',
  'logsBloom',
  'difficulty',
  'number',
  'gasLimit',
  'gasUsed',
  'timestamp',
  'extraData',
  'mixHash',
  'nonce',
] as const
const forkFields = [
  'baseFeePerGas',
  'withdrawalsRoot',
  'blobGasUsed',
  'excessBlobGas',
  'parentBeaconBlockRoot',
  'requestsHash',
] as const
const quantities: ReadonlySet<string> = new Set([
  'difficulty',
  'number',
  'gasLimit',
  'gasUsed',
  'timestamp',
  'baseFeePerGas',
  'blobGasUsed',
  'excessBlobGas',
])

/** The hash of a header as JSON-RPC tells it; `undefined` when a field is missing, as on chains with headers of their own. */
export function headerHash(header: Readonly<Record<string, unknown>>): Hex | undefined {
  const values: Hex[] = []
  for (const name of fields) {
    const value = header[name]
    if (typeof value !== 'string') return undefined
    values.push(encoded(name, value as Hex))
  }
  for (const name of forkFields) {
    const value = header[name]
    if (typeof value !== 'string') break
    values.push(encoded(name, value as Hex))
  }
  return keccak(hexToBytes(toRlp(values)))
}

/** Numbers have no leading zeros, and nothing for zero. */
function encoded(name: string, value: Hex): Hex {
  if (!quantities.has(name)) return value
  const digits = value.slice(2).replace(/^0+/, '')
  return `0x${digits.length % 2 === 0 ? '' : '0'}${digits}`
}
