// `jandon key`: makes keys, puts them into keystore files, and says whose they are. A key itself is never printed.

import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import type { Hex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { hash, toJson } from '#protocol/messages/wire.ts'
import { readKeystore, readPassphrase, readRawKey, writeSecretFile } from './key-file.ts'
import { addressOfKey, encryptKey } from './keystore.ts'
import { rotate, rotatedLines } from './rotate-command.ts'

const help = `usage: jandon key new --out <keystore>                        make a key and keep it in a new keystore file
       jandon key encrypt --out <keystore> [--key-file <file>]  put a raw key from a file, or from standard input, into one
       jandon key show-address <keystore>                       whose key a keystore holds
       jandon key rotate --data-dir <folder> [--give-up] [--receipt-key-lost]
                                                                give a stopped hub's data directory the keys of the environment

The passphrase is the first line of the file --passphrase-file, or of JANDON_KEYSTORE_PASSPHRASE_FILE. Files that everybody on this
machine can read are refused. A keystore is in the Web3 Secret Storage format, version 3. Every command takes --json.

A rotation needs the settings that the hub will run with. The hub account's admin names the new operator first, and it is taken when
that is final (JANDON_CONFIRMATIONS). What the former key has under way is finished, or waited for, or given up with --give-up.
The former receipt key vouches for the new one: JANDON_FORMER_RECEIPT_KEY, or JANDON_FORMER_RECEIPT_KEYSTORE.

The hub takes keystores in JANDON_OPERATOR_KEYSTORE and JANDON_RECEIPT_KEYSTORE, the watchtower in JANDON_CLAIMER_KEYSTORE.

Exit codes: 0 done, 1 refused, 2 wrong usage.
`

type Options = {
  json: boolean
  giveUp: boolean
  isReceiptKeyLost: boolean
  out?: string
  dataDir?: string
  keyFile?: string
  passphraseFile?: string
}

type Outcome = { json: object; line: string }

class UsageError extends Error {}

run(process.argv.slice(2)).catch((cause: unknown) => {
  const message = cause instanceof Error ? cause.message : String(cause)
  const exitCode = cause instanceof UsageError ? 2 : 1
  if (process.argv.includes('--json'))
    process.stdout.write(`${toJson({ error: { detail: message }, exitCode })}\n`)
  else process.stderr.write(`${message}\n${cause instanceof UsageError ? help : ''}`)
  process.exitCode = exitCode
})

async function run(args: readonly string[]) {
  if (args.includes('--help')) return void process.stdout.write(help)
  const { words, options } = parse(args)
  const { json, line } = await carryOut(words, options)
  process.stdout.write(options.json ? `${toJson(json)}\n` : `${line}\n`)
}

/** What was typed wrong may be a key, so it is not repeated. */
function parse(args: readonly string[]): { words: string[]; options: Options } {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        out: { type: 'string' },
        'data-dir': { type: 'string' },
        'give-up': { type: 'boolean', default: false },
        'receipt-key-lost': { type: 'boolean', default: false },
        'key-file': { type: 'string' },
        'passphrase-file': { type: 'string' },
      },
    })
    const { 'give-up': giveUp, 'receipt-key-lost': isReceiptKeyLost, json, out } = values
    const named = {
      ...(out ? { out } : {}),
      ...(values['data-dir'] ? { dataDir: values['data-dir'] } : {}),
      ...(values['key-file'] ? { keyFile: values['key-file'] } : {}),
      ...(values['passphrase-file'] ? { passphraseFile: values['passphrase-file'] } : {}),
    }
    return { words: positionals, options: { json, giveUp, isReceiptKeyLost, ...named } }
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new UsageError('there is an option that is not known, or one without its value')
  }
}

function carryOut([command, file, more]: readonly string[], options: Options): Promise<Outcome> {
  if (command === 'new' && file === undefined) return keep(generatePrivateKey(), options)
  if (command === 'encrypt' && file === undefined) return encrypt(options)
  if (command === 'show-address' && file && more === undefined) return showAddress(file, options)
  if (command === 'rotate' && file === undefined) return rotateDirectory(options)
  throw new UsageError('this is not a command; a key is never given on the command line')
}

async function encrypt(options: Options): Promise<Outcome> {
  const key = options.keyFile ? await readRawKey(options.keyFile) : await keyFromInput()
  return keep(key, options)
}

async function keep(key: Hex, options: Options): Promise<Outcome> {
  const { out } = options
  if (!out) throw new UsageError('name the new keystore file with --out')
  const passphrase = await readPassphrase(passphraseFileOf(options))
  const address = addressOfKey(key)
  await writeSecretFile(out, `${await encryptKey(key, { passphrase, randomBytes })}\n`)
  return { json: { address, file: out }, line: `${address} is kept in ${out}` }
}

async function showAddress(file: string, options: Options): Promise<Outcome> {
  const address = addressOfKey(await readKeystore(file, passphraseFileOf(options)))
  return { json: { address, file }, line: address }
}

async function rotateDirectory({ dataDir, passphraseFile, ...options }: Options): Promise<Outcome> {
  if (!dataDir) throw new UsageError('name the data directory of the stopped hub with --data-dir')
  const named = passphraseFile ? { JANDON_KEYSTORE_PASSPHRASE_FILE: passphraseFile } : {}
  const { giveUp, isReceiptKeyLost } = options
  const order = { dataDir, giveUp, isReceiptKeyLost }
  const rotated = await rotate({ ...process.env, ...named }, order)
  return { json: rotated, line: rotatedLines(rotated).join('\n') }
}

async function keyFromInput(): Promise<Hex> {
  const parsed = hash.safeParse((await text(process.stdin)).trim())
  if (parsed.success) return parsed.data
  throw new Error('standard input does not hold a private key of 0x and 64 hex digits')
}

function passphraseFileOf({ passphraseFile }: Options): string {
  const path = passphraseFile ?? process.env['JANDON_KEYSTORE_PASSPHRASE_FILE']
  if (path) return path
  throw new UsageError(
    'name the file with the passphrase: --passphrase-file or JANDON_KEYSTORE_PASSPHRASE_FILE',
  )
}
