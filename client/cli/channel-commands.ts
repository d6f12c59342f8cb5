// Money into a channel, out of it, and what is there.

import type { Deposited, DepositOrder } from '../deposits.ts'
import type { Balance } from '../refunds.ts'
import type { Withdrawal } from '../withdrawal.ts'
import { tokenText, typedAmount } from './money.ts'
import type { Session } from './session.ts'
import { findHandle, hubAndToken } from './session.ts'
import type { Report } from './terminal.ts'
import { durationText, short, table, timeText } from './terminal.ts'

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

export async function withdraw(session: Session, { wait }: { wait?: boolean }): Promise<Report> {
  const { jandon, terminal } = session
  return terminal.during('asking the chain', async (say) => {
    let step = await jandon.withdraw()
    while (wait && step.state === 'waiting') {
      say(`waiting out the withdraw delay: ${durationText(step.remainingSeconds)} left`)
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      const left = Number(step.finalizeAfter) - Date.now() / 1_000
      step = left > 0 ? { ...step, remainingSeconds: left } : await jandon.withdraw()
    }
    return withdrawalReport(session, step)
  })
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

async function withdrawalReport(session: Session, step: Withdrawal): Promise<Report> {
  const { jandon } = session
  const amount = await amountText(session, step.amount)
  if (step.state === 'done') {
    const lines = [`${amount} came back to ${jandon.address}`, `  transaction  ${step.transaction}`]
    return { json: step, lines }
  }
  const due = timeText(Number(step.finalizeAfter) * 1_000)
  return {
    json: step,
    lines: [
      `${amount} is on its way out of channel ${short(step.channelId)}.`,
      `Run "npx jandon withdraw" again after ${due}, in ${durationText(step.remainingSeconds)}, or now with --wait.`,
      `It needs a little gas at ${jandon.address} then.`,
    ],
  }
}

/** The hub may be gone when money is withdrawn alone; then the amount is said in base units. */
async function amountText({ jandon }: Session, amount: bigint): Promise<string> {
  const [token] = await jandon.knownTokens()
  return token ? tokenText(amount, token) : `${amount} base units`
}
