// The arguments of `npm run deploy`.

import { parseArgs } from 'node:util'
import type { Address, Hex } from 'viem'
import { isAddress, isHex, keccak256, size, stringToHex } from 'viem'
import {
  arbitrum,
  arbitrumSepolia,
  base,
  baseSepolia,
  hardhat,
  mainnet,
  optimism,
  optimismSepolia,
  polygon,
  sepolia,
} from 'viem/chains'
import { lowerCase } from '#protocol/signature.ts'

const networks = {
  arbitrum,
  arbitrumSepolia,
  base,
  baseSepolia,
  hardhat,
  mainnet,
  optimism,
  optimismSepolia,
  polygon,
  sepolia,
}

export const help = `usage: npm run deploy -- --network <name or RPC URL> --admin <address> --operator <address> --token <address>…
       npm run deploy -- --network hardhat

Deploys PaymentChannels, the deposit collectors and your HubAccount with its CreatorVault by CREATE2. The addresses follow
from code, salt, admin and operator alone; what stands there already is verified and left. Writes deployments/<chainId>.json.

  --network      ${Object.keys(networks).join(', ')}, or an http(s) URL
  --admin        names and replaces the hub account's keys; keep it cold, or make it a Safe
  --operator     the hub's first key
  --token        a token to list; repeat for more
  --salt         text or 32 bytes in hex (default: jandon)
  --start-block  where the hub begins to read, when the contracts were found and no file says it
  --out          folder of the file (default: deployments)
  --json         print the file's content to standard output
  --help

The key that pays for gas is read from JANDON_DEPLOYER_KEY. It gets no rights.
A local chain (id 31337) needs none of this: its first account pays and is admin and operator, the deployment proxy is
put there, and a test token is deployed.
Exit codes: 0 done, 1 refused, 2 usage.
`

/** The arguments make no sense. */
export class UsageError extends Error {}

/** What was asked for; `undefined` when that was the help. */
export function readArguments() {
  const { values } = parse()
  if (values.help) return undefined
  const { network, admin, operator, token = [] } = values
  if (!network) throw new UsageError('--network is missing; see --help')
  return {
    network,
    rpcUrl: rpcUrlOf(network),
    admin: admin === undefined ? undefined : addressOf('--admin', admin),
    operator: operator === undefined ? undefined : addressOf('--operator', operator),
    tokens: token.map((each) => addressOf('--token', each)),
    salt: saltOf(values.salt),
    startBlock: blockOf(values['start-block']),
    out: values.out,
    json: values.json,
    key: keyOf(process.env['JANDON_DEPLOYER_KEY']),
  }
}

function parse() {
  try {
    return parseArgs({
      options: {
        network: { type: 'string' },
        admin: { type: 'string' },
        operator: { type: 'string' },
        token: { type: 'string', multiple: true },
        salt: { type: 'string', default: 'jandon' },
        'start-block': { type: 'string' },
        out: { type: 'string', default: 'deployments' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function rpcUrlOf(network: string): string {
  if (/^https?:\/\//.test(network)) return network
  const named = Object.entries(networks).find(([name]) => name === network)
  if (!named) throw new UsageError(`--network ${network} is neither a known name nor a URL`)
  return named[1].rpcUrls.default.http[0]
}

function keyOf(text: string | undefined): Hex | undefined {
  if (text === undefined) return undefined
  const key = text.trim()
  if (isHex(key) && size(key) === 32) return key
  throw new UsageError('JANDON_DEPLOYER_KEY holds no key of 32 bytes in hex')
}

function addressOf(option: string, value: string): Address {
  if (!isAddress(value)) throw new UsageError(`${option} ${value} is not an address`)
  return lowerCase(value)
}

function saltOf(text: string): Hex {
  return isHex(text) && size(text) === 32 ? text : keccak256(stringToHex(text))
}

function blockOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw new UsageError(`--start-block ${text} is not a block number`)
  return Number(text)
}
