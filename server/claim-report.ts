// Settlements in words, for an operator's terminal.

import { formatUnits } from 'viem'
import { formatAmount } from '#protocol/amount.ts'
import type { ClaimPlan, SettleAnswer } from '#protocol/messages/claims.ts'
import type { TokenInfo } from '#protocol/messages/hub.ts'

type Tokens = readonly TokenInfo[]

/** What a settlement now would do, and why. */
export function planLines(plan: ClaimPlan, tokens: Tokens): string[] {
  const price = `gas costs ${formatUnits(plan.gasPrice, 9)} gwei`
  const flying = plan.inFlight === 0 ? '' : `, ${plan.inFlight} settlements are on their way`
  return [
    `Nothing is sent: this is what would be. ${price}${flying}`,
    ...plan.tokens.flatMap((token) => tokenLines(token, tokens)),
    ...asideLines(plan),
  ]
}

/** What settlements did. */
export function settledLines(answer: SettleAnswer, tokens: Tokens): string[] {
  if (answer.settlements.length === 0) return ['There is nothing to settle', ...asideLines(answer)]
  return [
    ...answer.settlements.map(({ transaction, token, channels, claimed, credited, state, fee }) => {
      const sum = amountText(claimed, token, tokens)
      const paid = fee === null ? '' : `, for ${formatUnits(fee, 18)} ETH`
      return `${transaction} ${state}: ${sum} claimed on ${channels} channels, ${credited.length} accounts credited${paid}`
    }),
    ...asideLines(answer),
  ]
}

function tokenLines(
  { token, claims, credits, waiting, transactions }: ClaimPlan['tokens'][number],
  tokens: Tokens,
): string[] {
  const show = (amount: bigint) => amountText(amount, token, tokens)
  return [
    ...reasonLines('channels', claims, show),
    ...reasonLines('accounts', credits, show),
    ...transactions.flatMap(({ claims: rows, credits: owed, ...sent }, index) => [
      `Transaction ${index + 1}: ${show(sent.claimed)} from ${sent.channels} channels, ${show(sent.credited)} to ${sent.accounts} accounts`,
      `  about ${sent.gas} gas, ${formatUnits(sent.fee, 18)} ETH${sent.feeInToken === null ? '' : `, ${show(sent.feeInToken)}`}`,
      ...rows.map(({ channelId, amount, reason }) => `  ${channelId} ${show(amount)}: ${reason}`),
      ...owed.map(({ account, amount, reason }) => `  to ${account} ${show(amount)}: ${reason}`),
    ]),
    ...waiting.map(
      ({ channelId, amount, since }) =>
        `  ${channelId} ${show(amount)}: waits since ${new Date(Number(since)).toISOString()}`,
    ),
  ]
}

function reasonLines(
  what: string,
  sums: ClaimPlan['tokens'][number]['claims'],
  show: (amount: bigint) => string,
): string[] {
  return Object.entries(sums).map(
    ([reason, { count, amount }]) => `${count} ${what}, ${show(amount)}: ${reason}`,
  )
}

function asideLines({ setAside }: Pick<ClaimPlan, 'setAside'>): string[] {
  return setAside.map(({ channelId, reason }) => `${channelId} is set aside: ${reason}`)
}

function amountText(amount: bigint, address: string, tokens: Tokens): string {
  const token = tokens.find((listed) => listed.address === address)
  return token
    ? `${formatAmount(amount, token.decimals)} ${token.symbol}`
    : `${amount} of ${address}`
}
