// Writes protocol/vectors.json (with --check: compares it), the fixed vectors that TypeScript and Solidity are both held against.
//
// Nothing here imports protocol/: types are copied from PROTOCOL.md, hashes come from viem's generic typed-data functions,
// and the receipt tree is built top down. So a mistake in the hand-laid digests cannot hide in the vectors.

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as channelVectors from './vectors/channels.ts'
import * as hubVectors from './vectors/hub.ts'
import {
  chainId,
  channelsDomain,
  hubAccount,
  hubDomain,
  lower,
  mnemonic,
  receiptSigner,
  separatorOf,
  vault,
  vaultDomain,
} from './vectors/typed-data.ts'

const target = fileURLToPath(new URL('../protocol/vectors.json', import.meta.url))
const vectors = {
  about:
    'Written by scripts/vectors.ts; do not edit. Amounts, nonces and times are decimal strings.',
  mnemonic,
  channelsContract: {
    chainId,
    address: channelsDomain.verifyingContract,
    separator: separatorOf(channelsDomain),
  },
  vaultContract: { chainId, address: vault, separator: separatorOf(vaultDomain) },
  hub: {
    chainId,
    hubAccount,
    receiptSigner: lower(receiptSigner.address),
    separator: separatorOf(hubDomain),
  },
  ...channelVectors,
  ...hubVectors,
}

const json = JSON.stringify(
  vectors,
  (_key, value) => (typeof value === 'bigint' ? value.toString() : value),
  2,
)

if (process.argv.includes('--check')) check()
else write()

function check() {
  if (JSON.stringify(JSON.parse(readFileSync(target, 'utf8')), null, 2) === json) return
  console.error('protocol/vectors.json is not what scripts/vectors.ts computes')
  process.exitCode = 1
}

function write() {
  writeFileSync(target, json)
  const biome = fileURLToPath(new URL('../node_modules/.bin/biome', import.meta.url))
  execFileSync(biome, ['format', '--write', target], { stdio: 'inherit' })
}
