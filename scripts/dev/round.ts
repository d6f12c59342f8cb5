// One visible round of the main job, by real wallets against the real hub: deposits, tips, claim and credit, a payment to a
// wallet, a cash-out to the bank, and the rest back to the fan.

import { join } from 'node:path'
import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { z } from 'zod'
import type { Jandon } from '#client/index.ts'
import { createJandon, createMemoryStore } from '#client/index.ts'
import type { Currency } from '#protocol/amount.ts'
import { formatAmount, formatMoney } from '#protocol/amount.ts'
import type { PayoutView } from '#protocol/messages/payouts.ts'
import { amount, hash } from '#protocol/messages/wire.ts'
import type { World } from '../world/world.ts'

/** What the round moved; amounts in token units as decimal text. */
export type RoundResult = {
  deposited: string
  tips: number
  creators: number
  claimTx: Hex | null
  claimedChannels: number
  credited: string
  paidToWallet: string
  payout: { state: string; net: string; currency: string; file: string | null } | null
  refunded: string
}

/** The wallets that the round needs. */
export const roundWallets = ['fan', 'friend', 'neighbour', 'busker', 'painter'] as const

type Clients = { [W in (typeof roundWallets)[number]]: Jandon }

const settlements = z.object({
  settlements: z.array(
    z.object({
      transaction: hash,
      channels: z.number(),
      credited: z.array(z.object({ amount })),
      state: z.string(),
    }),
  ),
})

/** How long an answer of the bank or the chain may take, in milliseconds. */
const patienceMs = 10_000

/** Plays the round. `tell` hears each step when it is done. */
export async function playRound(world: World, tell: (text: string) => void): Promise<RoundResult> {
  const { decimals, symbol } = world.token
  const units = (whole: string) =>
    BigInt(Math.round(Number(whole) * 100)) * 10n ** BigInt(decimals - 2)
  const show = (base: bigint) => `${formatAmount(base, decimals)} ${symbol}`
  const clients = connectAll(world)
  const { fan, friend, neighbour, busker, painter } = clients

  await busker.register({ handle: 'busker', displayName: 'Busker' })
  await painter.register({ handle: 'painter', displayName: 'Painter' })
  tell('@busker and @painter have joined')

  const deposits = [
    { who: fan, name: 'fan', deposit: units('20') },
    { who: friend, name: 'friend', deposit: units('10') },
    { who: neighbour, name: 'neighbour', deposit: units('10') },
  ]
  for (const { who, name, deposit } of deposits) {
    await world.mint(world.wallets[name]?.address ?? who.address, deposit)
    await who.openChannel({ deposit })
    tell(`${name} deposited ${show(deposit)} with one signature and no gas`)
  }

  await fan.tip({ to: '@busker', amount: units('0.50'), message: 'great song' })
  tell(`fan tipped @busker ${show(units('0.50'))}: "great song"`)
  await fan.basket([
    { to: '@busker', amount: units('0.25') },
    { to: '@painter', amount: units('4') },
  ])
  tell('fan tipped @busker and @painter with one signature for both')
  await friend.tip({ to: '@painter', amount: units('3.20'), message: '그림이 좋아요' })
  await neighbour.basket([
    { to: '@busker', amount: units('1.50') },
    { to: '@painter', amount: units('0.05') },
  ])
  tell('friend and neighbour tipped too')

  const claim = await settle(world)
  tell(
    `${claim.channels} channels claimed and ${claim.accounts} accounts credited in one transaction`,
  )

  const paidToWallet = await payToWallet(world, busker)
  tell(`@busker paid ${show(paidToWallet)} to a wallet`)
  const payout = world.bank ? await cashOut(world, { painter, tell }) : undefined
  const refunded = await refundRest(world, fan)
  tell(`fan took the remaining ${show(refunded)} back`)

  return {
    deposited: formatAmount(
      deposits.reduce((sum, { deposit }) => sum + deposit, 0n),
      decimals,
    ),
    tips: 6,
    creators: 2,
    claimTx: claim.transaction,
    claimedChannels: claim.channels,
    credited: formatAmount(claim.credited, decimals),
    paidToWallet: formatAmount(paidToWallet, decimals),
    payout: payout ?? null,
    refunded: formatAmount(refunded, decimals),
  }
}

function connectAll(world: World): Clients {
  const connect = (name: (typeof roundWallets)[number]) => {
    const wallet = world.wallets[name]
    if (!wallet) throw new Error(`the world has no wallet called ${name}`)
    return createJandon({
      hubUrl: world.hub.url,
      rpcUrl: world.rpcUrl,
      account: privateKeyToAccount(wallet.privateKey),
      store: createMemoryStore(),
    })
  }
  return {
    fan: connect('fan'),
    friend: connect('friend'),
    neighbour: connect('neighbour'),
    busker: connect('busker'),
    painter: connect('painter'),
  }
}

async function settle({ hub, operatorToken }: World) {
  const response = await fetch(new URL('/v1/claims', hub.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${operatorToken}` },
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`the hub answered ${response.status} to a claim: ${text}`)
  const [settlement] = settlements.parse(JSON.parse(text)).settlements
  if (settlement?.state !== 'done') throw new Error(`nothing was settled: ${text}`)
  return {
    transaction: settlement.transaction,
    channels: settlement.channels,
    accounts: settlement.credited.length,
    credited: settlement.credited.reduce((sum, credit) => sum + credit.amount, 0n),
  }
}

async function payToWallet(world: World, busker: Jandon): Promise<bigint> {
  const { amounts } = await busker.amounts()
  const yours = amounts[0]?.yours ?? 0n
  await world.fundGas(busker.address)
  const wallet = privateKeyToAccount(`0x${'11'.repeat(32)}`).address
  await busker.pay({ to: wallet, amount: yours })
  return yours
}

async function cashOut(
  world: World,
  { painter, tell }: { painter: Jandon; tell: (text: string) => void },
): Promise<RoundResult['payout']> {
  const { amounts } = await painter.amounts()
  const quote = await painter.quote({
    amount: amounts[0]?.yours ?? 0n,
    rail: 'iso20022',
    currency: 'KRW',
    destination: { name: 'Kim Painter', bank: '004', account: '1234567890' },
  })
  const net = formatMoney(quote.net, quote.currency as Currency)
  tell(
    `@painter was quoted ${net} ${quote.currency} for ${formatAmount(quote.gross, world.token.decimals)} ${world.token.symbol}`,
  )
  const started = await painter.cashOut(quote.quoteId)
  const payout = await until(() => painter.payout(started.payoutId), isOver)
  tell(`payout ${payout.state}: ${payout.reason}`)
  return {
    state: payout.state,
    net,
    currency: payout.currency,
    file: payout.file && fileOf(world, payout.file),
  }
}

function isOver({ state }: PayoutView): boolean {
  return state === 'SETTLED' || state === 'REJECTED' || state === 'FAILED' || state === 'RETURNED'
}

function fileOf({ folder }: World, file: string): string {
  return join(folder, 'hub', 'payment-files', file)
}

async function refundRest(world: World, fan: Jandon): Promise<bigint> {
  const { amount: unspent } = await fan.refund()
  await until(
    () => fan.balance(),
    ([channel]) => channel === undefined || channel.held === 0n,
  )
  if (world.hub.complaints() !== '') process.stderr.write(`${world.hub.complaints()}\n`)
  return unspent
}

/** Asks again until the answer is the one waited for, or patience is over; then the last answer. */
async function until<T>(ask: () => Promise<T>, done: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + patienceMs
  for (;;) {
    const answer = await ask()
    if (done(answer) || Date.now() > deadline) return answer
    await new Promise((resolve) => {
      setTimeout(resolve, 50)
    })
  }
}
