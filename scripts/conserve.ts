// Whether money was conserved, from three sides that know nothing of each other: the chain, the hub's export, the bank's
// books. A process of its own; prints one JSON line with every check and exits with 0 when all hold, 1 when one does not.

import { parseArgs } from 'node:util'
import type { Address } from 'viem'
import { createPublicClient, http } from 'viem'
import { readDeployment } from '#server/chain/deployment.ts'
import { bankChecks, readBank } from './conserve/bank-side.ts'
import { bookChecks, chainBookChecks, readExport } from './conserve/books-side.ts'
import { chainChecks, readChain } from './conserve/chain-side.ts'
import type { Check } from './conserve/check.ts'

const help = `usage: node scripts/conserve.ts --rpc <url> --deployment <file> --hub <url> --treasury <address> [--bank <url>]

Reads the chain, the hub's export (operator token in JANDON_OPERATOR_TOKEN) and the bank's books, and compares them.
Prints {"conserved":true|false,"checks":[…]}. Exit codes: 0 conserved, 1 not, 2 usage, 3 something could not be read.
`

main().catch((cause: unknown) => {
  process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`)
  process.exitCode = 3
})

async function main() {
  const { values } = parseArgs({
    options: {
      rpc: { type: 'string' },
      deployment: { type: 'string' },
      hub: { type: 'string' },
      treasury: { type: 'string' },
      bank: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const { rpc, deployment: file, hub, treasury, bank } = values
  if (values.help || !rpc || !file || !hub || !treasury) {
    process.stderr.write(help)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const deployment = await readDeployment(file)
  const chain = createPublicClient({ transport: http(rpc, { batch: true }) })
  const books = await readExport(hub, process.env['JANDON_OPERATOR_TOKEN'] ?? '')
  const checks: Check[] = bookChecks(books)
  for (const { address } of deployment.tokens) {
    const seen = await readChain(chain, {
      deployment,
      token: address,
      treasury: treasury as Address,
    })
    checks.push(...chainChecks(seen), ...chainBookChecks(books, seen))
  }
  if (bank) checks.push(...bankChecks(books, await readBank(bank)))
  const conserved = checks.every(({ holds }) => holds)
  process.stdout.write(`${JSON.stringify({ conserved, checks })}\n`)
  process.exitCode = conserved ? 0 : 1
}
