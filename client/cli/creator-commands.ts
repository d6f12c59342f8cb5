// A creator's commands: a name to be tipped under, what came in, and the ways out of the vault.

import type { Hex } from 'viem'
import { isAddress } from 'viem'
import { formatAmount } from '#protocol/amount.ts'
import type { HubInfo, TokenInfo } from '#protocol/messages/hub.ts'
import type { PayoutView, QuoteView } from '#protocol/messages/payouts.ts'
import { ClientError } from '../errors.ts'
import type { PayOptions } from './exit-commands.ts'
import { payAlone } from './exit-commands.ts'
import type { ExitCode } from './failure.ts'
import { UsageError } from './failure.ts'
import { knownCurrency, moneyText, tokenText, typedAmount } from './money.ts'
import type { Session } from './session.ts'
import { findHandle, hubAndToken } from './session.ts'
import type { Report } from './terminal.ts'
import { durationText, short, table, timeText } from './terminal.ts'

/** Where a payout goes, as typed. `field` holds further fields of a rail as `name=value`. */
export type QuoteOptions = {
  currency?: string
  rail?: string
  bank?: string
  account?: string
  name?: string
  field?: string[]
}

/** Asks the person at the terminal; answers false when there is none. */
export type Confirm = (question: string) => Promise<boolean>

const followMs = 30_000
const pollMs = 500
const ended: readonly PayoutView['state'][] = [
  'PAID_PROVISIONAL',
  'SETTLED',
  'REJECTED',
  'RETURNED',
  'FAILED',
]
const refused: readonly PayoutView['state'][] = ['REJECTED', 'RETURNED', 'FAILED']

export async function register(
  { jandon, terminal }: Session,
  handle: string,
  displayName: string | undefined,
): Promise<Report> {
  const creator = await terminal.during('registering', () =>
    jandon.register({ handle, displayName: displayName ?? handle.replace(/^@/, '') }),
  )
  const lines = [
    `@${creator.handle} is ${creator.displayName}, paid at ${creator.account}`,
    `Tip it with: npx jandon tip @${creator.handle} 0.05`,
  ]
  return { json: creator, lines }
}

export async function statement(
  session: Session,
  { limit, handle: given }: { limit: number; handle?: string },
): Promise<Report> {
  const { jandon, terminal } = session
  const handle = await findHandle(session, given)
  const page = await terminal.during('asking the hub', () =>
    jandon.statement({ limit, ...(handle ? { handle } : {}) }),
  )
  const { info, token } = await hubAndToken(session)
  const rows = page.tips.map((tip) => [
    timeText(Number(tip.acceptedAt)),
    short(tip.payer),
    tokenText(tip.amount - tip.fee, tokenAt(info, tip.token) ?? token),
    tip.progress,
    tip.message ?? '',
  ])
  const heading = ['when', 'from', 'amount', 'progress', 'message']
  return {
    json: page,
    lines: rows.length === 0 ? ['No tips yet.'] : table([heading, ...rows]),
  }
}

export async function quote(
  session: Session,
  amount: string,
  options: QuoteOptions,
): Promise<Report> {
  const offered = await askQuote(session, amount, options)
  const { token } = await hubAndToken(session)
  const next = `Take it with: npx jandon ${asOption(session)}cashout ${offered.quoteId}`
  return { json: offered, lines: [...quoteLines(offered, token), next] }
}

/** Cashes out a quote that was asked for, by id, or asks for one first and has it confirmed. */
export async function cashOut(
  session: Session,
  quoteOrAmount: string,
  options: QuoteOptions & { yes?: boolean; confirm: Confirm },
): Promise<Report> {
  const { jandon, terminal } = session
  const quoteId = isHash(quoteOrAmount)
    ? quoteOrAmount
    : await agreedQuote(session, quoteOrAmount, options)
  const payout = await terminal.during('signing and sending the payment', async (say) =>
    follow(session, await jandon.cashOut(quoteId), say),
  )
  const { token } = await hubAndToken(session)
  return { json: payout, lines: payoutLines(payout, token), exitCode: exitOf(payout) }
}

export async function payouts(session: Session, payoutId: string | undefined): Promise<Report> {
  const { jandon, terminal } = session
  const { token } = await hubAndToken(session)
  if (payoutId !== undefined) {
    const found = await terminal.during('asking the hub', () => findPayout(session, payoutId))
    return { json: found, lines: payoutLines(found, token) }
  }
  const all = await terminal.during('asking the hub', () => jandon.payouts())
  const rows = all.map(({ payoutId: id, state, net, currency, reason }) => [
    short(id),
    state,
    moneyText(net, currency),
    reason,
  ])
  const heading = ['payout', 'state', 'net', 'why']
  return {
    json: { payouts: all },
    lines: rows.length === 0 ? ['No payouts yet.'] : table([heading, ...rows]),
  }
}

/** Pays out of the vault directly, without the hub; the whole of it to oneself when nothing else is said. */
export async function pay(
  session: Session,
  { to, amount }: { to: string | undefined; amount: string | undefined },
  { fromVault, deployment }: PayOptions,
): Promise<Report> {
  if (!fromVault && (to === undefined || amount === undefined))
    throw new UsageError('name whom to pay and how much, or --from-vault for all to yourself')
  if (deployment !== undefined) return payAlone(session, { to, amount })
  const { jandon, terminal } = session
  const receiver: string = to ?? jandon.address
  if (!isAddress(receiver)) throw new UsageError(`"${receiver}" is not an address`)
  const token = (await jandon.knownTokens())[0] ?? (await hubAndToken(session)).token
  const units =
    amount === undefined ? await jandon.yours() : typedAmount(amount, { token, info: noRates })
  const transaction = await terminal.during('sending the transaction', () =>
    jandon.pay({ to: receiver, amount: units }),
  )
  return {
    json: { to: receiver, amount: units, token: token.address, transaction },
    lines: [`${tokenText(units, token)} went to ${receiver}`, `  transaction  ${transaction}`],
  }
}

const noRates = { rates: [] }

/** How a payout stands, in lines. */
function payoutLines(payout: PayoutView, token: TokenInfo): string[] {
  const { payoutId, state, reason, actor, nextLookAt, gross, net, currency, transaction } = payout
  const rows = [
    ['  payout', payoutId],
    ['  from the vault', tokenText(gross, token)],
    ['  to the bank', moneyText(net, currency)],
    ['  why', reason],
  ]
  if (actor !== 'nobody') rows.push(['  next to act', actor])
  if (nextLookAt !== null) rows.push(['  looked at again', timeText(Number(nextLookAt))])
  if (transaction) rows.push(['  transaction', transaction])
  if (payout.endToEndId) rows.push(['  end-to-end id', payout.endToEndId])
  if (payout.file) rows.push(['  bank file', payout.file])
  return [`The payout is ${state}.`, ...table(rows)]
}

async function agreedQuote(
  session: Session,
  amount: string,
  options: QuoteOptions & { yes?: boolean; confirm: Confirm },
): Promise<Hex> {
  const offered = await askQuote(session, amount, options)
  const { token } = await hubAndToken(session)
  const agreed =
    options.yes ??
    (await options.confirm([...quoteLines(offered, token), 'Cash out? (y/n) '].join('\n')))
  if (agreed) return offered.quoteId
  throw new UsageError(
    `the quote was not confirmed: add --yes, or run "npx jandon cashout ${offered.quoteId}"`,
  )
}

async function askQuote(
  session: Session,
  amount: string,
  options: QuoteOptions,
): Promise<QuoteView> {
  const { info, token } = await hubAndToken(session)
  if (options.currency === undefined) {
    throw new UsageError(`give the currency to be paid in: --currency ${currenciesOf(info)}`)
  }
  const currency = knownCurrency(options.currency)
  const order = {
    amount: typedAmount(amount, { token, info }),
    currency,
    rail: options.rail ?? railFor(info, currency),
    destination: destinationOf(options),
  }
  return session.terminal.during('asking for a quote', () => session.jandon.quote(order))
}

function railFor({ rails }: HubInfo, currency: string): string {
  const rail = rails.find(({ currencies }) => currencies.includes(currency))
  if (rail) return rail.id
  throw new ClientError('invalid_input', `this hub pays nobody out in ${currency}`)
}

function currenciesOf({ rails }: HubInfo): string {
  return [...new Set(rails.flatMap(({ currencies }) => currencies))].join('|') || 'KRW'
}

function destinationOf({ bank, account, name, field = [] }: QuoteOptions) {
  const named = Object.entries({ bank, account, name })
  const further = field.map((pair): [string, string] => {
    const at = pair.indexOf('=')
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)]
    throw new UsageError(`--field "${pair}" is not name=value`)
  })
  const given = [...named, ...further].flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const],
  )
  if (given.length === 0) {
    throw new UsageError('say where to: --bank 004 --account 1234567890 --name "…"')
  }
  return Object.fromEntries(given)
}

function quoteLines(offered: QuoteView, token: TokenInfo): string[] {
  const { gross, lines, net, currency, rate, expectedArrival, expiresAt } = offered
  const perToken = `${rate.source}, ${timeText(Number(rate.asOf))}`
  const amounts = [
    ...lines.map(({ label, amount }) => [`  ${label}`, moneyText(amount, currency)]),
    ['  net, at the bank', moneyText(net, currency)],
  ]
  const width = Math.max(...amounts.map(([, amount = '']) => amount.length))
  const left = durationText((Number(expiresAt) - Date.now()) / 1_000)
  return [
    `${formatAmount(gross, token.decimals)} ${token.symbol} becomes ${moneyText(net, currency)}`,
    ...table(amounts.map(([label = '', amount = '']) => [label, amount.padStart(width)])),
    `Rate: ${perToken}. Expected: ${expectedArrival}. Firm for ${left}.`,
  ]
}

/** Watches a payout for a while, until it has come as far as it goes without more time. */
async function follow(
  { jandon }: Session,
  first: PayoutView,
  say: (label: string) => void,
): Promise<PayoutView> {
  let payout = first
  for (const deadline = Date.now() + followMs; Date.now() < deadline; ) {
    if (ended.includes(payout.state)) break
    say(`the payout is ${payout.state}: ${payout.reason}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs))
    payout = await jandon.payout(payout.payoutId)
  }
  return payout
}

async function findPayout({ jandon }: Session, id: string): Promise<PayoutView> {
  if (isHash(id)) return jandon.payout(id)
  const begins = (await jandon.payouts()).filter(({ payoutId }) => payoutId.startsWith(id))
  const [found] = begins
  if (found && begins.length === 1) return found
  throw new UsageError(`${begins.length} payouts begin with "${id}"`)
}

function exitOf({ state }: PayoutView): ExitCode {
  if (refused.includes(state)) return 1
  return state === 'UNKNOWN' ? 3 : 0
}

function tokenAt(info: HubInfo, address: string): TokenInfo | undefined {
  return info.tokens.find((token) => token.address === address)
}

function asOption({ settings: { walletName } }: Session): string {
  return walletName && walletName !== 'you' ? `--as ${walletName} ` : ''
}

function isHash(text: string): text is Hex {
  return /^0x[0-9a-fA-F]{64}$/.test(text)
}
