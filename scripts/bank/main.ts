// The bank simulator: a process of its own with its own books, for the hub's cash-out to be tested and shown against.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Currency, currencyDigits, parseAmount } from '#protocol/amount.ts'
import { isCurrency } from '#server/payouts/iso20022/money.ts'
import { loadSchemas, SchemasMissingError } from '#server/payouts/iso20022/schema.ts'
import { openBank } from './bank.ts'
import { JournalError } from './journal.ts'
import { createRoutes } from './routes.ts'

const help = `usage: node scripts/bank/main.ts --port <n> --data <folder> [options]

A bank for tests: takes pain.001.001.09 files, checks and books them, and reports with pain.002.001.10 and camt.054.001.04.
It listens on 127.0.0.1 only, and prints {"listening":"http://127.0.0.1:<port>"} when it is ready.

  --port <n>              port, or 0 for any free one
  --data <folder>         where the books are kept; a restart on the same folder goes on
  --float <code>:<sum>    money that the customer brings, such as KRW:100000000 or USD:2500.50; may be given again for
                          another currency (default KRW:100000000)
  --account <number>      the customer's account (default 11000000000001)
  --holder <name>         the customer's name (default jandon hub)
  --xsd <folder>          the ISO 20022 schemas (default .jandon/xsd, made by node scripts/schemas.ts)
  --json                  print nothing but JSON lines
  --help                  print this

POST /files               a payment file (application/xml); 202, or a problem document that says what is wrong with it
GET  /reports?after=<n>   reports with a sequence above n, oldest first, at most 100
GET  /payments/<id>       the payment with this end-to-end id
GET  /books               accounts, entries, and the sum of each currency, which is zero
POST /returns/<id>        sends a booked payment back; {"reason":"AC04"}
POST /faults              {"dropAnswer","loseReports","repeatReports","delayReports","holdAtReceipt","holdAtStatus",
                          "misbook"}: each strikes the next so many times
POST /resume              goes on with files that a fault holds

A payee account that begins with 99 is closed (AC04), 98 is held under another name (BE01), 97 does not exist (AC01). Any
other is opened by its first payment, in the name which that gives; later payments must give the same name.

Exit codes: 0 stopped by a signal, 1 failed, 2 wrong usage.
`

const defaultSchemas = fileURLToPath(new URL('../../.jandon/xsd', import.meta.url))

const { values } = readArguments()
if (values.help) {
  process.stdout.write(help)
  process.exit(0)
}
serve(values).catch(fail)

function readArguments() {
  try {
    return parseArgs({
      options: {
        port: { type: 'string' },
        data: { type: 'string' },
        float: { type: 'string', multiple: true, default: ['KRW:100000000'] },
        account: { type: 'string', default: '11000000000001' },
        holder: { type: 'string', default: 'jandon hub' },
        xsd: { type: 'string', default: defaultSchemas },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return stopForUsage(error instanceof Error ? error.message : String(error))
  }
}

async function serve({
  port,
  data,
  float,
  account,
  holder,
  xsd,
  json,
}: typeof values): Promise<void> {
  if (port === undefined || !/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    return stopForUsage(`--port ${port ?? 'is missing;'} must be 0 to 65535`)
  }
  if (data === undefined) return stopForUsage('--data is missing; it names the folder of the books')
  const floats = float.map(readFloat)
  const schemas = loadSchemas(xsd)
  const bank = await openBank({ dir: data, schemas, clock: () => new Date(), onFailure: fail })
  await bank.openCustomer({ number: account, holder, float: floats })

  const server = createServer(createRoutes(bank, fail))
  server.listen({ port: Number(port), host: '127.0.0.1' })
  await once(server, 'listening')
  const address = server.address()
  assert(address !== null && typeof address === 'object', 'a server on a port has an address')
  const listening = `http://127.0.0.1:${address.port}`
  process.stdout.write(`${JSON.stringify({ listening })}\n`)
  if (!json) process.stderr.write(`bank: books in ${data}, customer account ${account}\n`)

  async function stop(): Promise<void> {
    server.close()
    server.closeAllConnections()
    await bank.close()
    schemas.dispose()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop().catch(fail)
    })
  }
}

function readFloat(text: string): { currency: Currency; amount: bigint } {
  const [currency = '', sum = ''] = text.split(':')
  const amount = isCurrency(currency) ? parseAmount(sum, currencyDigits[currency]) : undefined
  if (!isCurrency(currency) || amount === undefined) {
    const known = Object.keys(currencyDigits).join(', ')
    return stopForUsage(
      `--float ${text} is not <code>:<sum>, with a code of ${known} and its digits`,
    )
  }
  return { currency, amount }
}

/** Books in doubt are worse than no bank: it stops, and the journal on disk says what happened. */
function fail(error: unknown): void {
  const known = error instanceof JournalError || error instanceof SchemasMissingError
  const text = error instanceof Error && !known ? error.stack : String(error)
  process.stderr.write(`bank: ${text}\n`)
  process.exit(1)
}

function stopForUsage(why: string): never {
  process.stderr.write(`bank: ${why}\nTry --help.\n`)
  process.exit(2)
}
