// Every refusal that a hub can answer with, in one table. Codes are part of the API; titles and actions may be reworded.

/** Status, short name, and what the one who was refused can do about it. */
export const errorTable = {
  malformed_json: [400, 'The body is not JSON', 'Send one JSON object in UTF-8.'],
  duplicate_key: [400, 'The body names a key twice', 'Name each key once.'],
  invalid_request: [
    400,
    'The request has the wrong shape',
    'Correct the fields that "issues" names.',
  ],
  unsupported_media_type: [
    415,
    'The body is not application/json',
    'Send content-type: application/json.',
  ],
  body_too_large: [
    413,
    'The body is too large',
    'Send fewer tips per basket, or a shorter message.',
  ],
  malformed_http: [400, 'The request is not HTTP', 'Send HTTP/1.1 as RFC 9112 has it.'],
  headers_too_large: [431, 'The headers are too large', 'Send fewer or shorter headers.'],
  request_timeout: [408, 'The request came in too slowly', 'Send the whole request at once.'],
  not_found: [404, 'There is nothing here', 'See the list of routes in PROTOCOL.md.'],
  method_not_allowed: [
    405,
    'The route does not take this method',
    'Use a method that "allow" names.',
  ],
  session_required: [
    401,
    'Nobody is signed in',
    'Sign in with POST /v1/sessions and send the token as bearer.',
  ],
  already_signed_in: [
    409,
    'The connection belongs to another session',
    'Open a connection of its own for each session.',
  ],
  already_following: [
    409,
    'The connection follows already',
    'Open another connection to follow from another event.',
  ],
  session_rejected: [
    401,
    'The sign-in message was not accepted',
    'Ask for a new nonce and sign a message for this hub.',
  ],
  not_yours: [403, 'This belongs to somebody else', 'Sign in with the address that owns it.'],
  operator_required: [403, 'Only the operator may do this', 'Send the operator token as bearer.'],
  unknown_channel: [
    404,
    'The hub knows no such channel',
    'Open it first, on the chain and contract of /.well-known/jandon.',
  ],
  authorizer_required: [
    422,
    'The channel has no payerAuthorizer',
    'Open a channel with a payerAuthorizer; take this deposit back by withdrawing.',
  ],
  wrong_receiver: [
    422,
    'The channel pays another receiver',
    'Use the receiver of /.well-known/jandon.',
  ],
  wrong_receiver_authorizer: [
    422,
    'The channel answers to another receiverAuthorizer',
    'Use the receiverAuthorizer of /.well-known/jandon.',
  ],
  token_not_listed: [
    422,
    'The hub does not take this token',
    'Use a token of /.well-known/jandon.',
  ],
  withdraw_delay_out_of_range: [
    422,
    'The withdraw delay is out of range',
    'Use a delay within the bounds of /.well-known/jandon.',
  ],
  unknown_creator: [
    422,
    'A tip names nobody who has joined',
    'Tip the address of a registered creator.',
  ],
  duplicate_ref: [
    422,
    'Two tips of the basket carry the same ref',
    'Give each tip a fresh random ref.',
  ],
  message_mismatch: [
    422,
    "A message does not match its tip's ref",
    'Set ref to keccak256(salt ‖ message).',
  ],
  ceiling_too_low: [
    409,
    'The voucher does not cover what is charged and new',
    'Sign again with maxClaimableAmount of at least "needed".',
  ],
  deposit_exceeded: [
    402,
    'The channel does not hold enough',
    'Top the channel up, or tip at most "available".',
  ],
  bad_signature: [
    422,
    'The signature is not the authorizer’s',
    'Sign with the payerAuthorizer of the channel, 65 bytes, v 27 or 28.',
  ],
  base_too_low: [
    409,
    'The base of the commitment is below what is charged and held',
    'Commit again with baseAmount of at least "needed".',
  ],
  stream_open: [409, 'The channel has an open stream', 'End that stream first.'],
  root_used: [
    409,
    'The root is that of another commitment',
    'Commit again with a fresh seed and its root.',
  ],
  unknown_stream: [404, 'The hub knows no such stream', 'Open it first.'],
  stream_closed: [
    409,
    'The stream has ended',
    'Ask for the receipt of "basketId", if there is one; for more ticks, open a new stream.',
  ],
  not_your_stream: [
    403,
    'The stream was opened by another session',
    'Reveal in the session that opened it, or wait until it is idle and open a new one.',
  ],
  stream_mismatch: [
    409,
    'The basket does not end the stream with what was ticked',
    'Sign one tip of "amount" to "to" with the root as ref, and no message.',
  ],
  tick_not_forward: [409, 'The ticks are paid already', 'Reveal more ticks than "known".'],
  beyond_commitment: [
    422,
    'The commitment is to fewer ticks',
    'Reveal at most "maxTicks", then open a new stream.',
  ],
  tick_jump_too_far: [
    422,
    'The reveal pays too many ticks at once',
    'Reveal at most "maxJump" ticks more than "known".',
  ],
  wrong_preimage: [
    422,
    'The preimage does not pay these ticks, and the stream has ended',
    'What was proved before is charged. Open a new stream.',
  ],
  deposit_too_small: [422, 'The deposit is below the minimum', 'Deposit at least "minimum".'],
  relay_fee_missing: [
    422,
    'The bundled voucher does not pay the relay fee',
    'Add a tip of at least "needed" to the fee account.',
  ],
  authorization_expired: [
    422,
    'The deposit authorization is outside its time',
    'Sign a new authorization.',
  ],
  deposit_refused: [
    422,
    'The chain would refuse this deposit',
    'Check the balance, the authorization and its signature.',
  ],
  deposit_conflict: [
    409,
    'This deposit is known with other contents',
    'Use a new salt for a new deposit.',
  ],
  unknown_deposit: [
    404,
    'The hub knows no such deposit',
    'Check the id that POST /v1/deposits answered.',
  ],
  nothing_to_refund: [
    409,
    'Nothing is left to refund',
    'Wait until requests and refunds in progress are done.',
  ],
  refund_too_large: [409, 'More is asked back than is unspent', 'Ask for at most "available".'],
  unknown_refund: [
    404,
    'The hub knows no such refund',
    'Check the id that the refund was answered with.',
  ],
  unknown_basket: [
    404,
    'The hub knows no such basket',
    'Check the basket id, or send the basket again.',
  ],
  unknown_handle: [404, 'Nobody has this handle', 'Check the spelling, or register it.'],
  not_audited: [
    404,
    'No audit counts this account',
    'Ask again after the next audit; GET /v1/audits lists them.',
  ],
  handle_taken: [409, 'The handle belongs to somebody else', 'Choose another handle.'],
  account_registered: [
    409,
    'The address has a handle already',
    'Use another address, or the handle that it has.',
  ],
  credit_too_small: [
    422,
    'Too little is owed for a credit of its own',
    'Wait until at least "minimum" is owed, or for a settlement that takes it along.',
  ],
  amount_too_small: [422, 'The amount is too small to cash out', 'Cash out at least "minimum".'],
  not_yet_credited: [
    409,
    'Less than this is yours in the vault',
    'Ask for at most "available", or for a claim first.',
  ],
  destination_rejected: [
    422,
    'The destination cannot be paid',
    'Correct the field that "reason" names.',
  ],
  rail_unavailable: [
    503,
    'The way to this bank is not set up',
    'Choose another rail, or ask the operator.',
  ],
  unknown_quote: [404, 'The hub knows no such quote', 'Ask for a new quote.'],
  quote_expired: [410, 'The quote has expired', 'Ask for a new quote.'],
  payment_mismatch: [
    422,
    'The signed payment is not the one quoted',
    'Sign the payment that the quote names.',
  ],
  payout_conflict: [
    409,
    'This quote is being paid with another payment',
    'Follow the payout that exists.',
  ],
  unknown_payout: [
    404,
    'The hub knows no such payout',
    'Check the id that POST /v1/payouts answered.',
  ],
  webhook_url_refused: [
    422,
    'The URL cannot be a webhook',
    'Use https and a name that stands for addresses on the internet only.',
  ],
  too_many_webhooks: [409, 'There are too many webhooks', 'Remove one first.'],
  unknown_webhook: [
    404,
    'The hub knows no such webhook',
    'Check the id that POST /v1/webhooks answered.',
  ],
  webhook_disabled: [
    409,
    'The webhook is disabled',
    'Register it again, and replay what it missed.',
  ],
  unknown_event: [
    404,
    'There is no such event for this webhook',
    'Use the webhook-id of a delivery or a dead letter.',
  ],
  too_many_requests: [429, 'Too many requests at once', 'Wait as long as Retry-After says.'],
  overloaded: [503, 'The hub is busy', 'Wait as long as Retry-After says.'],
  reserves_unequal: [
    503,
    'The books and the chain disagree',
    'Payments are stopped until the operator has found the cause.',
  ],
  receipt_rejected: [
    422,
    'The receipt does not prove this basket',
    'Present the receipt as the hub gave it, with the tips and the voucher that it is for.',
  ],
  money_out_locked: [
    503,
    'Money does not leave the hub at present',
    'Wait until the operator has reconciled the books; what is yours can be taken without the hub.',
  ],
  not_reconciled: [
    409,
    'The books are not reconciled',
    'See what "reasons" names; a difference is accepted by naming its "difference".',
  ],
  tower_unavailable: [
    503,
    'The watchtower does not answer',
    'Send the same again later; it counts once, and is answered when the watchtower has it.',
  ],
  chain_unavailable: [
    503,
    'The chain does not answer',
    'Try again later; what was accepted is safe.',
  ],
  chain_refused: [502, 'The chain refused the transaction', 'See "reason"; nothing was charged.'],
  stopping: [503, 'The hub is stopping', 'Try again in a few seconds.'],
  storage_failed: [
    503,
    'The hub cannot write to its disk',
    'Try again later; this request was not accepted.',
  ],
  internal_error: [
    500,
    'The hub failed',
    'Report it to the operator with the time of the request.',
  ],
} as const satisfies Record<string, readonly [status: number, title: string, action: string]>

export type ErrorCode = keyof typeof errorTable

/** Values that say what disagrees. Amounts are bigint here and decimal strings on the wire. */
export type ErrorValues = {
  readonly [name: string]: bigint | boolean | number | string | readonly string[]
}

/** A refusal: expected, documented, and harmless. Anything else that is thrown is a bug or a fault. */
export class HubError extends Error {
  readonly code: ErrorCode
  readonly values: ErrorValues

  constructor(
    code: ErrorCode,
    detail: string,
    { values = {}, cause }: { values?: ErrorValues; cause?: unknown } = {},
  ) {
    super(detail, cause === undefined ? undefined : { cause })
    this.name = 'HubError'
    this.code = code
    this.values = values
  }
}

/** A problem document (RFC 9457) with the code, what to do, and the values that disagree. */
export type Problem = {
  type: string
  title: string
  status: number
  code: ErrorCode
  detail: string
  action: string
  values: { [name: string]: unknown }
}

/** The problem document of a refusal. */
export function toProblem({ code, message, values }: HubError): Problem {
  const [status, title, action] = errorTable[code]
  const texts = Object.entries(values).map(([name, value]) => [
    name,
    typeof value === 'bigint' ? value.toString() : value,
  ])
  const type = `https://jandon.dev/problems/${code}`
  return { type, title, status, code, detail: message, action, values: Object.fromEntries(texts) }
}

/** The refusal that a problem document tells of, or `undefined` when the document is not one of ours. */
export function fromProblem(body: unknown): HubError | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const { code, detail, values } = body as { [field: string]: unknown }
  if (typeof code !== 'string' || !Object.hasOwn(errorTable, code)) return undefined
  const named = typeof values === 'object' && values !== null && !Array.isArray(values)
  return new HubError(code as ErrorCode, typeof detail === 'string' ? detail : code, {
    values: (named ? values : {}) as ErrorValues,
  })
}
