// What went wrong, as a line to read, an object for scripts, and an exit code.

import { errorTable, HubError } from '#protocol/errors.ts'
import { ClientError } from '../errors.ts'

/** 0 done, 1 refused, 2 wrong usage, 3 the outcome is not known. */
export type ExitCode = 0 | 1 | 2 | 3

/** The command was typed in a way that cannot be carried out. */
export class UsageError extends Error {}

export type Failure = {
  code: string
  detail: string
  action: string
  values: { readonly [name: string]: unknown }
  exitCode: ExitCode
}

/** What to do next in words of this program, where they say more than those of the SDK and the hub. */
const actions: { readonly [code: string]: string } = {
  answer_lost: 'See "npx jandon balance" and "npx jandon payouts" before you ask again.',
  basket_kept: 'It is kept. "npx jandon status" asks again; nothing is charged twice.',
  channel_exists: 'Add to it with "npx jandon top-up 5", or tip from it.',
  deposit_exceeded: 'Add to the channel with "npx jandon top-up 5".',
  deposit_slow: 'It is kept. "npx jandon status" asks again.',
  hub_changed: 'Ask the operator why. If you trust the answer, add --hub-key <address>.',
  hub_unreachable: 'Start a hub with "npm start", or name the right one with --hub <url>.',
  no_channel: 'Open one with "npx jandon open --deposit 5".',
  nothing_to_withdraw: 'Open a new channel with "npx jandon open --deposit 5".',
  no_quote: 'Ask for one with "npx jandon quote", from the same wallet.',
  no_receipt: 'See "npx jandon history", or give the path of a receipt in JSON.',
  not_a_creator: 'Register one with "npx jandon register <handle>", or name it with --handle.',
  refund_slow: 'See "npx jandon balance".',
  rpc_required: 'Name an RPC endpoint with --rpc <url> or JANDON_RPC.',
  unknown_creator: 'Check the handle or address.',
  unknown_handle: 'Check the spelling.',
  unproven_charge: 'Take the rest of the deposit back with "npx jandon withdraw".',
}

/** Refusals of the hub's server side that certainly changed nothing. */
const harmless: readonly string[] = [
  'chain_unavailable',
  'chain_refused',
  'money_out_locked',
  'rail_unavailable',
  'reserves_unequal',
  'stopping',
]

/** Values of an error that are amounts in base units. */
const amountNames: readonly string[] = [
  ...[
    'amount',
    'available',
    'balance',
    'ceiling',
    'charged',
    'claimed',
    'escrowCap',
    'fee',
    'held',
    'limit',
  ],
  ...['minimum', 'most', 'needed', 'new', 'paid', 'proven', 'spent'],
]

/** The same failure with the amounts in its words, and those that they name, written in units of a token. */
export function inUnits(failure: Failure, toText: (amount: bigint) => string): Failure {
  const amounts = new Set(amountNames.map((name) => String(failure.values[name])))
  const detail = failure.detail.replace(/(?<![\w.])\d+(?!\.?\w)/g, (digits) =>
    amounts.has(digits) ? toText(BigInt(digits)) : digits,
  )
  const action = failure.action.replace(/"(\w+)"/g, (quoted, name: string) => {
    const digits = String(failure.values[name])
    return amountNames.includes(name) && /^\d+$/.test(digits) ? toText(BigInt(digits)) : quoted
  })
  return { ...failure, detail, action }
}

/** The failure that an expected error tells of; anything else is a bug and is thrown on. */
export function failureOf(error: unknown): Failure {
  if (error instanceof UsageError) {
    const action = 'See "npx jandon --help".'
    return { code: 'usage', detail: error.message, action, values: {}, exitCode: 2 }
  }
  if (error instanceof ClientError) {
    const { code, message: detail, action, values, outcome } = error
    const exitCode = outcome === 'unknown' ? 3 : 1
    return { code, detail, action: actions[code] ?? action, values, exitCode }
  }
  if (error instanceof HubError) {
    const { code, message: detail, values } = error
    const [status, , action] = errorTable[code]
    const exitCode = status >= 500 && !harmless.includes(code) ? 3 : 1
    return { code, detail, action: actions[code] ?? action, values, exitCode }
  }
  throw error
}
