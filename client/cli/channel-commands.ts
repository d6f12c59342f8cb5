// Money into a channel, out of it, and what is there.

import type { Deposited, DepositOrder } from '../deposits.ts'
import type { Balance } from '../refunds.ts'
import { tokenText, typedAmount } from './money.ts'
import type { Session } from './session.ts'
import { findHandle, hubAndToken } from './session.ts'
import type { Report } from './terminal.ts'
import { short, table } from './terminal.ts'

export async function open(
  session: Session,
  options: { deposit: string; currency?: string },
): Promise<Report> {
  const deposited = await putIn(session, {
    amount: options.deposit,
    currency: options.currency,
    send: session.jandon.openChannel,
  })
  const [head, ...rest] = depositLines(deposited)
  const next = 'Next: npx jandon tip @handle 0.05 -m "great song"'
  return {
    json: depositJson(deposited),
    lines: [`Opened a channel: ${head}`, ...rest, next],
  }
}

export async function topUp(
  session: Session,
  amount: string,
  { currency }: { currency?: string },
): Promise<Report> {
  const deposited = await putIn(session, { amount, currency, send: session.jandon.topUp })
  const [head, ...rest] = depositLines(deposited)
  return { json: depositJson(deposited), lines: [`Topped up: ${head}`, ...rest] }
}

export async function balance(session: Session): Promise<Report> {
  const { jandon, terminal, settings } = session
  const { channels, wallet, creator } = await terminal.during('asking the hub', async () => {
    const handle = await findHandle(session)
    return {
      channels: await jandon.balance(),
      wallet: settings.rpcUrl ? await jandon.tokens() : null,
      creator: handle ? await jandon.amounts(handle) : null,
    }
  })
  const { info, token } = await hubAndToken(session)
  const rows = channels.flatMap(balanceRows)
  if (wallet !== null) rows.push(['wallet', tokenText(wallet, token)])
  for (const { token: address, accepted, claimed, yours, paid } of creator?.amounts ?? []) {
    const unit = info.tokens.find((listed) => listed.address === address) ?? token
    rows.push(
      [`@${creator?.creator.handle}`, `${tokenText(accepted, unit)} accepted`],
      ['', `${tokenText(claimed, unit)} claimed`],
      ['', `${tokenText(yours, unit)} yours`],
      ['', `${tokenText(paid, unit)} paid out`],
    )
  }
  const lines = [`${jandon.address} at ${settings.hubUrl}`, ...table(rows)]
  if (channels.length === 0 && !creator) {
    lines.push('No channel is open. Open one: npx jandon open --deposit 5')
  }
  return { json: { address: jandon.address, wallet, channels, creator }, lines }
}

export async function refund(
  session: Session,
  amount: string | undefined,
  { currency }: { currency?: string },
): Promise<Report> {
  const { jandon, terminal } = session
  const { info, token } = await hubAndToken(session)
  const wanted = amount === undefined ? undefined : typedAmount(amount, { token, info, currency })
  const done = await terminal.during('asking for the refund', (say) =>
    jandon.refund({ amount: wanted, onProgress: () => say('waiting for the chain') }),
  )
  return {
    json: { ...done, token: token.address },
    lines: [
      `${tokenText(done.amount, token)} came back to ${jandon.address}`,
      ...table([
        ['  refund', short(done.refundId)],
        ['  transaction', done.transaction ?? '–'],
      ]),
    ],
  }
}

async function putIn(
  session: Session,
  {
    amount,
    currency,
    send,
  }: {
    amount: string
    currency: string | undefined
    send: (order: DepositOrder) => Promise<Deposited>
  },
): Promise<Deposited> {
  const { info, token } = await hubAndToken(session)
  const deposit = typedAmount(amount, { token, info, currency })
  return session.terminal.during('sending the deposit', (say) =>
    send({
      deposit,
      onProgress: (step) =>
        say(step === 'relaying' ? 'the hub relays the deposit' : 'waiting for confirmations'),
    }),
  )
}

function depositJson({ token, ...deposited }: Deposited): object {
  const { address, symbol, decimals } = token
  return { ...deposited, token: { address, symbol, decimals } }
}

function depositLines({ channelId, token, deposit, relayFee, basketId }: Deposited): string[] {
  return [
    `${tokenText(deposit, token)} deposited without gas`,
    ...table([
      ['  channel', channelId],
      ['  relay fee', tokenText(relayFee, token)],
      ['  receipt', short(basketId)],
    ]),
  ]
}

function balanceRows({ channelId, token, ...channel }: Balance): string[][] {
  const state = channel.status === 'open' ? '' : ` (${channel.status})`
  const rows = [
    ['channel', `${short(channelId)}${state}`],
    ['', `${tokenText(channel.deposited, token)} deposited`],
    ['', `${tokenText(channel.charged, token)} spent`],
    ['', `${tokenText(channel.unspent, token)} unspent`],
  ]
  if (channel.held > 0n) rows.push(['', `${tokenText(channel.held, token)} being refunded`])
  if (channel.leaving > 0n) rows.push(['', `${tokenText(channel.leaving, token)} being withdrawn`])
  if (channel.unproven > 0n) {
    rows.push(['', `${tokenText(channel.unproven, token)} spent without a receipt here`])
  }
  return rows
}
