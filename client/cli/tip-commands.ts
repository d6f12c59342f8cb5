// Tipping, what was tipped, and its proof.

import { readFile } from 'node:fs/promises'
import { HubError } from '#protocol/errors.ts'
import type { TipOrder } from '../baskets.ts'
import { parseJson } from '../records.ts'
import type { ReceiptCheck, SentBasket, SentTip } from '../tips.ts'
import { proofReport } from './audit-commands.ts'
import { UsageError } from './failure.ts'
import { tokenText, typedAmount } from './money.ts'
import type { Session } from './session.ts'
import { hubAndToken } from './session.ts'
import type { Report } from './terminal.ts'
import { short, table, timeText } from './terminal.ts'

export function tip(
  session: Session,
  order: { to: string; amount: string; message?: string | undefined },
  { currency }: { currency?: string | undefined },
): Promise<Report> {
  return send(session, [order], currency)
}

/** `pairs` is recipient, amount, recipient, amount, and so on. */
export async function basket(
  session: Session,
  pairs: readonly string[],
  { currency }: { currency?: string | undefined },
): Promise<Report> {
  if (pairs.length % 2 !== 0) {
    throw new UsageError('give pairs of recipient and amount: @busker 0.05 @painter 0.10')
  }
  const orders = pairs.flatMap((to, at) => {
    const amount = pairs[at + 1]
    return at % 2 === 0 && amount !== undefined ? [{ to, amount }] : []
  })
  return send(session, orders, currency)
}

export async function history(session: Session, { limit }: { limit: number }): Promise<Report> {
  const { jandon, terminal } = session
  const baskets = await terminal.during('asking the hub', () => jandon.history({ limit }))
  const rows = baskets.flatMap((sent) => sent.tips.map((one) => historyRow(sent, one)))
  const heading = ['when', 'receipt', 'to', 'amount', 'progress', 'message']
  const none = ['Nothing was tipped yet. Begin with: npx jandon tip @handle 0.05']
  return {
    json: { baskets },
    lines: rows.length === 0 ? none : table([heading, ...rows]),
  }
}

/** Presents again what a restored hub lost. What it refuses is told, and the whole is then refused. */
export async function sync({ jandon, terminal }: Session): Promise<Report> {
  const { known, takenIn, refused } = await terminal.during('presenting receipts', () =>
    jandon.sync(),
  )
  return {
    json: { known, takenIn, refused },
    lines: [
      `The hub knew ${known} baskets and took in ${takenIn.length} again`,
      ...table(refused.map(({ basketId, detail }) => ['  refused', short(basketId), detail])),
    ],
    exitCode: refused.length === 0 ? 0 : 1,
  }
}

/** Checks a receipt by the beginning of its basket id, or one in a JSON file, or a proof in one. What does not hold is a refusal. */
export async function verify(session: Session, receipt: string): Promise<Report> {
  const file = await readReceipt(receipt)
  if (file && 'proofs' in file) return proofReport(await session.jandon.verifyProof(file))
  const check = await session.jandon.verifyReceipt(file ?? receipt)
  const holds = check.fault === null
  const verdict = holds
    ? `Valid: the hub signed for every tip of basket ${check.basketId}.`
    : `NOT valid: ${check.fault}.`
  return {
    json: { valid: holds, ...check },
    lines: [verdict, ...receiptLines(check)],
    exitCode: holds ? 0 : 1,
  }
}

async function send(
  session: Session,
  typed: readonly { to: string; amount: string; message?: string | undefined }[],
  currency: string | undefined,
): Promise<Report> {
  const { jandon, terminal } = session
  const { info, token } = await hubAndToken(session)
  const orders = typed.map(({ to, amount, message }) => ({
    to,
    message,
    amount: typedAmount(amount, { token, info, currency }),
  }))
  const { sent, resumed } = await terminal.during('sending', async () => {
    const earlier = await finishEarlier(session)
    if (earlier && isSame(earlier, orders)) return { sent: earlier, resumed: true }
    return { sent: await jandon.basket(orders), resumed: false }
  })
  if (resumed) {
    terminal.note('this basket was begun earlier; it is accepted now and nothing new was sent')
  }
  return { json: { ...sent, resumed }, lines: sentLines(sent) }
}

/** A basket whose answer was lost is finished first: whoever types the same command again means that one. */
async function finishEarlier({ jandon, terminal }: Session): Promise<SentBasket | undefined> {
  try {
    return await jandon.resume()
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    terminal.note(`the basket begun earlier was refused and not charged: ${error.message}`)
    return undefined
  }
}

function isSame({ tips }: SentBasket, orders: readonly TipOrder[]): boolean {
  return (
    tips.length === orders.length &&
    tips.every(({ to, name, amount, message }, at) => {
      const order = orders[at]
      const recipient = order?.to.replace(/^@/, '').toLowerCase()
      const isSameRecipient = recipient === name || recipient === to
      return isSameRecipient && order?.amount === amount && (order.message ?? null) === message
    })
  )
}

function sentLines(sent: SentBasket): string[] {
  const rows = sent.tips.map((one) => [
    recipientText(one),
    amountText(sent, one.amount),
    one.message ?? '',
  ])
  const total = sent.tips.length > 1 ? [`${amountText(sent, sent.total)} in all`] : []
  return [...table(rows), ...total, `Accepted. Receipt ${short(sent.basketId)}, checked.`]
}

function historyRow(sent: SentBasket, one: SentTip): string[] {
  return [
    timeText(sent.at),
    short(sent.basketId),
    recipientText(one),
    amountText(sent, one.amount),
    one.progress ?? 'accepted',
    one.message ?? '',
  ]
}

function receiptLines({ receipt, hub, token }: ReceiptCheck): string[] {
  const tips = receipt.tips.map(({ leaf }) => [
    '  tip',
    `${amountText({ token }, leaf.amount)} to 0x${leaf.to.slice(26)}`,
  ])
  return table([
    ...tips,
    ['  committed', timeText(Number(receipt.header.closedAt))],
    ['  group', `${receipt.header.number} of run ${short(receipt.header.epoch)}`],
    ['  hub', `${hub.hubAccount} on chain ${hub.chainId}`],
    ['  receipt key', hub.receiptSigner],
  ])
}

function recipientText({ kind, name, to }: SentTip): string {
  if (kind === 'relay-fee') return 'relay fee'
  return name === null ? short(to) : `@${name}`
}

function amountText({ token }: Pick<SentBasket, 'token'>, amount: bigint): string {
  return token ? tokenText(amount, token) : `${amount} base units`
}

/** A file is what looks like a path or is there; everything else is the beginning of an id. */
async function readReceipt(text: string): Promise<object | undefined> {
  if (/^(0x)?[0-9a-f]{1,64}$/i.test(text)) return undefined
  const contents = await readFile(text, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`"${text}" is neither a receipt of the history nor a file to read`, {
      cause,
    })
  })
  const value = parseJson(contents)
  if (typeof value !== 'object' || value === null) {
    throw new UsageError(`${text} does not hold a receipt in JSON`)
  }
  const inner = 'receipt' in value ? value.receipt : value
  return typeof inner === 'object' && inner !== null ? inner : value
}
