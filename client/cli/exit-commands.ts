// Leaving without the hub: a payer's deposit and a creator's vault, by key and RPC endpoint alone.

import { readFile } from 'node:fs/promises'
import type { Address } from 'viem'
import { formatEther, isAddress } from 'viem'
import type { ChainContext, GasNeed } from '../chain.ts'
import type { ExitContracts } from '../exits.ts'
import { exitContracts, leave, takeFromVault } from '../exits.ts'
import type { TokenRecord } from '../records.ts'
import { parseJson } from '../records.ts'
import type { Withdrawal } from '../withdrawal.ts'
import { UsageError } from './failure.ts'
import { tokenText, typedAmount } from './money.ts'
import type { Session } from './session.ts'
import type { Report, Terminal } from './terminal.ts'
import { durationText, short, table, timeText } from './terminal.ts'

export type WithdrawOptions = { wait?: boolean; deployment?: string }
export type PayOptions = { fromVault?: boolean; deployment?: string }

/** A clock that was moved, as on a test chain, is noticed after this long. */
const askAgainMs = 10_000

export async function withdraw(
  session: Session,
  amount: string | undefined,
  options: WithdrawOptions,
): Promise<Report> {
  return options.deployment === undefined
    ? withdrawKnown(session, amount, options)
    : withdrawAlone(session, amount, options)
}

/** With what the wallet's folder knows: the channel, and what of it was tipped. */
async function withdrawKnown(
  { jandon, terminal }: Session,
  amount: string | undefined,
  { wait }: WithdrawOptions,
): Promise<Report> {
  const [token] = await jandon.knownTokens()
  if (amount !== undefined && !token)
    throw new UsageError('this wallet knows no token yet: withdraw without an amount')
  const order = token && amount !== undefined ? { amount: unitsOf(amount, token) } : undefined
  const step = async () => [await jandon.withdraw(order)]
  const steps = await takeSteps(terminal, step, { wait })
  return withdrawalReport(steps, { address: jandon.address, token, again: 'npx jandon withdraw' })
}

/** With nothing but the file of the contracts. */
async function withdrawAlone(
  session: Session,
  amount: string | undefined,
  { wait, deployment }: WithdrawOptions,
): Promise<Report> {
  const { context, contracts, token } = await aloneWith(session)
  const order = amount === undefined ? undefined : { amount: unitsOf(amount, token) }
  const steps = await takeSteps(session.terminal, () => leave(context, contracts, order), { wait })
  const again = `npx jandon withdraw --deployment ${deployment}`
  return withdrawalReport(steps, { address: context.account.address, token, again })
}

/** Pays out of the vault with nothing but the file of the contracts; to oneself and everything, unless it is said. */
export async function payAlone(
  session: Session,
  { to, amount }: { to: string | undefined; amount: string | undefined },
): Promise<Report> {
  const { context, contracts, token } = await aloneWith(session)
  const receiver: string = to ?? context.account.address
  if (!isAddress(receiver)) throw new UsageError(`"${receiver}" is not an address`)
  const wanted = amount === undefined ? undefined : unitsOf(amount, token)
  const order = { token: token.address, to: receiver, amount: wanted }
  const paid = await session.terminal.during('sending the transaction', () =>
    takeFromVault(context, contracts, order),
  )
  return {
    json: { to: receiver, token: token.address, ...paid },
    lines: [
      `${tokenText(paid.amount, token)} went to ${receiver}`,
      `  transaction  ${paid.transaction}`,
    ],
  }
}

async function aloneWith({
  settings,
}: Session): Promise<{ context: ChainContext; contracts: ExitContracts; token: TokenRecord }> {
  const { account, rpcUrl, deploymentFile } = settings
  const contracts = await readContracts(deploymentFile ?? '')
  const [token] = contracts.tokens
  if (!token) throw new UsageError(`${deploymentFile} lists no token`)
  return { context: { account, rpcUrl, now: Date.now }, contracts, token }
}

async function readContracts(path: string): Promise<ExitContracts> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be read`, { cause })
  })
  const parsed = exitContracts.safeParse(parseJson(text))
  if (parsed.success) return parsed.data
  throw new UsageError(`${path} is not the file that deploying the contracts wrote`)
}

/** Takes the steps that can be taken now; with `wait` counts down and takes the last ones too. */
function takeSteps(
  terminal: Terminal,
  step: () => Promise<Withdrawal[]>,
  { wait = false }: { wait?: boolean | undefined },
): Promise<Withdrawal[]> {
  return terminal.during('asking the chain', async (say) => {
    const done: Withdrawal[] = []
    let steps = await step()
    for (;;) {
      done.push(...steps.filter(({ state }) => state === 'done'))
      const waiting = steps.filter((one) => one.state === 'waiting')
      if (!wait || waiting.length === 0) return [...done, ...waiting]
      await countDown(waiting, say)
      steps = await step()
    }
  })
}

/** Until the first can be finished, or the chain should be asked again. */
async function countDown(
  waiting: readonly Extract<Withdrawal, { state: 'waiting' }>[],
  say: (text: string) => void,
) {
  const least = Math.min(...waiting.map(({ remainingSeconds }) => remainingSeconds))
  const until = Date.now() + Math.min(least * 1_000, askAgainMs)
  const due = Date.now() + least * 1_000
  while (Date.now() < until) {
    say(`waiting out the withdraw delay: ${durationText((due - Date.now()) / 1_000)} left`)
    await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, until - Date.now())))
  }
}

function withdrawalReport(
  steps: readonly Withdrawal[],
  { address, token, again }: { address: Address; token: TokenRecord | undefined; again: string },
): Report {
  const lines = steps.flatMap((step) => stepLines(step, { address, token, again }))
  const [first, second] = steps
  return { json: first && !second ? first : { withdrawals: steps }, lines }
}

function stepLines(
  step: Withdrawal,
  { address, token, again }: { address: Address; token: TokenRecord | undefined; again: string },
): string[] {
  // The hub may be gone before it said what its tokens are called.
  const amount = token ? tokenText(step.amount, token) : `${step.amount} base units`
  if (step.state === 'done')
    return [`${amount} came back to ${address}`, `  transaction  ${step.transaction}`]
  const due = timeText(Number(step.finalizeAfter) * 1_000)
  return [
    `${amount} is on its way out of channel ${short(step.channelId)}.`,
    `Run "${again}" again after ${due}, in ${durationText(step.remainingSeconds)}, or now with --wait.`,
    ...gasLines(step.gas),
  ]
}

function gasLines({ address, needed, held }: GasNeed): string[] {
  return [
    `The last step needs gas at ${address}:`,
    ...table([
      ['  needed', `about ${formatEther(needed)} of the chain’s own coin`],
      ['  there', `${formatEther(held)}${held < needed ? ', which is too little' : ''}`],
    ]),
  ]
}

function unitsOf(amount: string, token: TokenRecord): bigint {
  return typedAmount(amount, { token, info: { rates: [] } })
}
