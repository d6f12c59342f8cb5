// What the client itself refuses or cannot tell. The hub's refusals are HubErrors; both carry a code and what to do next.

/** What to do next, and whether the request had no effect (`refused`) or may have had one (`unknown`). */
const clientErrors = {
  answer_lost: ['Look at how things stand before you ask again.', 'unknown'],
  answer_malformed: ['Check that the address is that of a jandon hub of this version.', 'unknown'],
  basket_kept: ['Resume: the same basket is sent again, and nothing is charged twice.', 'unknown'],
  chain_mismatch: ['Use an RPC endpoint of the chain that the hub is on.', 'refused'],
  channel_exists: ['Top the channel up, or tip from it.', 'refused'],
  creator_changed: ['Ask the creator for the address, and tip the address itself.', 'refused'],
  deposit_failed: ['Nothing is lost: ask for the channel’s state, then deposit again.', 'refused'],
  deposit_slow: ['The deposit is kept. Ask for the status later.', 'unknown'],
  fee_too_high: ['Deposit more at once, or allow a higher fee.', 'refused'],
  gas_needed: ['Send some of the chain’s own coin to the address, then try again.', 'refused'],
  hub_changed: [
    'Ask the operator why. Name the new receipt key only if you trust the answer.',
    'refused',
  ],
  hub_unreachable: ['Check the address of the hub and that it is up.', 'refused'],
  invalid_amount: ['Give a positive amount in base units of the token.', 'refused'],
  invalid_input: ['Correct the value that the message names.', 'refused'],
  no_channel: ['Open a channel first.', 'refused'],
  no_quote: ['Ask for a new quote.', 'refused'],
  no_receipt: ['Look the basket up in the history.', 'refused'],
  not_a_creator: ['Register a handle for this address first.', 'refused'],
  nothing_to_withdraw: ['Open a channel to tip again.', 'refused'],
  quote_invalid: ['Do not sign it. Ask for a new quote, and tell the operator.', 'refused'],
  receipt_invalid: ['Keep the basket and tell the operator: the hub did not prove it.', 'unknown'],
  refund_failed: ['Ask again, or withdraw alone.', 'refused'],
  refund_slow: ['The refund is under way. Ask for the balance later.', 'unknown'],
  rpc_failed: ['Check the RPC endpoint, then look at the state before trying again.', 'unknown'],
  rpc_required: ['Name an RPC endpoint of the chain.', 'refused'],
  store_damaged: [
    'Move the named record away; the hub’s copy of the channel is taken up.',
    'refused',
  ],
  store_locked: ['Wait until the other program is done with this wallet.', 'refused'],
  transaction_refused: ['Nothing was moved. See the reason.', 'refused'],
  unproven_charge: [
    'Do not sign above what you tipped. Take the rest of the deposit back by withdrawing.',
    'refused',
  ],
  wrong_wallet: ['Use one store for each wallet and hub.', 'refused'],
} as const satisfies Record<string, readonly [action: string, outcome: 'refused' | 'unknown']>

export type ClientErrorCode = keyof typeof clientErrors

/** Values that say what disagrees; amounts in base units. */
export type ClientErrorValues = { readonly [name: string]: bigint | boolean | number | string }

/** An expected failure on the client's side. `outcome` is `unknown` when the request may have had an effect. */
export class ClientError extends Error {
  readonly code: ClientErrorCode
  readonly action: string
  readonly outcome: 'refused' | 'unknown'
  readonly values: ClientErrorValues

  constructor(
    code: ClientErrorCode,
    detail: string,
    { values = {}, cause }: { values?: ClientErrorValues; cause?: unknown } = {},
  ) {
    super(detail, cause === undefined ? undefined : { cause })
    const [action, outcome] = clientErrors[code]
    this.name = 'ClientError'
    this.code = code
    this.action = action
    this.outcome = outcome
    this.values = values
  }
}
