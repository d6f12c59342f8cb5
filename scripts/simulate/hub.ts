// A hub without network, disk and signatures: channels, books and vault as far as settlements look at them. What is settled, and
// when, the hub's own plan and policy say.

import type { Address, Hex } from 'viem'
import { maxAmount, mulDiv } from '#protocol/amount.ts'
import type { Draft } from '#server/chain/settlement-plan.ts'
import { asClaimable, decide, draftClaims, fitCredits } from '#server/chain/settlement-plan.ts'
import type { Claimable, Moment, Owed } from '#server/chain/settlement-policy.ts'
import { sumOf } from '#server/chain/settlement-policy.ts'
import type { Channel } from '#server/channels/channel.ts'
import { channelAmounts, charge, newChannel } from '#server/channels/channel.ts'
import { accounts } from '#server/ledger/accounts.ts'
import type { Balances } from '#server/ledger/entry.ts'
import { addLeg, balanceOf, move, post } from '#server/ledger/entry.ts'

/** Base units, and places of fans and creators. */
export type SimulatedHub = {
  tip(tip: { fan: number; creator: number; amount: bigint; at: number }): void
  /** The fan demands all of the escrow back, tips included. */
  demand(fan: number): void
  /** Settles what the hub's plan says is due, in as many transactions as it needs. */
  settle(moment: Omit<Moment, 'overhead'>): Settled[]
  /** Charged and not claimed. */
  atRisk(): bigint
  /** To creators and the hub, by the totals of the vault. */
  credited(): bigint
  /** To creators and the hub, not credited yet. */
  owed(): bigint
  /** Charged and not claimed, counted channel by channel. */
  unclaimed(): bigint
  /** Owed to creators and not credited. */
  notYours(): bigint
  balances: Balances
}

/** One transaction. `creators` are the places of those whom it credits with all that they are owed. */
export type Settled = {
  claims: number
  claimed: bigint
  knownCredits: number
  newCredits: number
  creators: number[]
  reasons: { [reason: string]: number }
}

const address = (number: number): Address => `0x${number.toString(16).padStart(40, '0')}`

/** The parties whose addresses are told apart. Creators and fans come after them. */
const contract = address(1)
const vault = address(2)
const hubAccount = address(3)
const token = address(4)
const feeAccount = address(5)
const firstCreator = 16

const terms = {
  contract,
  receiver: vault,
  receiverAuthorizer: hubAccount,
  tokens: [token],
  withdrawDelay: { minimum: 86_400, maximum: 86_400 },
}

/** Whatever is charged is covered by one signature: checking them is not what is simulated. */
const proof = {
  kind: 'voucher',
  maxClaimableAmount: maxAmount,
  tipsHash: `0x${'00'.repeat(32)}`,
  signature: '0x',
} as const

export function createSimulatedHub({
  fans,
  deposit,
  tipFee,
  gasPerTransaction,
}: {
  fans: number
  /** What a fan deposits whenever a tip needs it, base units. */
  deposit: bigint
  /** Basis points. */
  tipFee: bigint
  gasPerTransaction: bigint
}): SimulatedHub {
  const all = Array.from({ length: fans }, (_, fan) => openChannel(fan))
  const parties: { account: Address; books: string }[] = []
  const waiting = new Map<Hex, Claimable>()
  const owed = new Map<Address, Owed>()
  const credited = new Map<Address, bigint>()
  const balances: Balances = new Map()
  const deps = {
    channels: { get: channelOf, amounts: channelAmounts },
    vaultAccounts: { get: (_: Address, account: Address) => totalsOf(account) },
    gasPerTransaction,
  }

  return {
    tip({ fan, creator, amount, at }) {
      const fee = mulDiv(amount, { numerator: tipFee, denominator: 10_000n, rounding: 'down' })
      const { account, books } = partyOf(creator)
      const channel = chargeOn(channelAt(fan), amount)
      change(channel, waiting.get(channel.id)?.since ?? at)
      owe(account, amount - fee, at)
      owe(feeAccount, fee, at)
      addLeg(balances, { account: accounts.channels, currency: token, amount })
      addLeg(balances, { account: books, currency: token, amount: fee - amount })
      addLeg(balances, { account: accounts.fees, currency: token, amount: -fee })
    },
    demand(fan) {
      const channel = channelAt(fan)
      const pendingWithdrawal = { amount: channel.balance, finalizeAfter: 0n }
      const since = waiting.get(channel.id)?.since
      all[fan] = { ...channel, pendingWithdrawal }
      if (since !== undefined) change({ ...channel, pendingWithdrawal }, since)
    },
    settle(moment) {
      const settled: Settled[] = []
      for (;;) {
        const free = balanceOf(balances, accounts.vault, token)
        const all = { claimable: [...waiting.values()], owed: [...owed.values()], free }
        const outlook = decide(all, moment)
        const claims = draftClaims(outlook, deps)
        const credits = fitCredits(deps, outlook, { token, claims, claimed: sumOf(claims) })
        if (claims.length === 0 && credits.length === 0) return settled
        settled.push(book({ token, claims, credits }))
      }
    },
    atRisk: () => balanceOf(balances, accounts.channels, token),
    credited: () => [...credited.values()].reduce((sum, amount) => sum + amount, 0n),
    owed: () => sumOf([...owed.values()]),
    unclaimed: () =>
      all.reduce((sum, { charged, totalClaimed }) => sum + charged - totalClaimed, 0n),
    notYours() {
      const owed = balanceOf(balances, accounts.channels, token)
      const inVault = balanceOf(balances, accounts.vault, token)
      return owed + inVault + balanceOf(balances, accounts.fees, token)
    },
    balances,
  }

  function channelAt(fan: number): Channel {
    const channel = all[fan]
    if (!channel) throw new Error(`there is no fan ${fan}`)
    return channel
  }

  function channelOf(id: Hex): Channel {
    return channelAt(fanOf(id))
  }

  function partyOf(creator: number) {
    const known = parties[creator]
    if (known) return known
    const account = address(firstCreator + creator)
    const party = { account, books: accounts.creator(account) }
    parties[creator] = party
    return party
  }

  function totalsOf(account: Address) {
    return { credited: credited.get(account) ?? 0n, paid: 0n }
  }

  function change(channel: Channel, since: number) {
    all[fanOf(channel.id)] = channel
    waiting.set(channel.id, asClaimable(deps, channel, since))
  }

  function owe(account: Address, amount: bigint, at: number) {
    const { amount: before, since } = owed.get(account) ?? { amount: 0n, since: at }
    if (before + amount > 0n)
      owed.set(account, { account, amount: before + amount, since, isRequested: false })
  }

  /** Deposits when the tip needs it. */
  function chargeOn(channel: Channel, amount: bigint): Channel {
    const needed = channel.charged + amount
    const missing = needed - channel.balance
    const deposits = missing > 0n ? (missing + deposit - 1n) / deposit : 0n
    const funded = { ...channel, balance: channel.balance + deposits * deposit }
    return charge(funded, { added: amount, proof })
  }

  /** What the chain and the hub's bookings of it would come to. */
  function book({ claims, credits }: Draft): Settled {
    for (const { channelId } of claims) claim(channelOf(channelId))
    const claimed = sumOf(claims)
    enter({ debit: accounts.vault, credit: accounts.channels }, claimed)
    const isNew = credits.filter(({ account }) => !credited.has(account))
    for (const { account, amount } of credits) {
      credited.set(account, totalsOf(account).credited + amount)
      owed.delete(account)
      const debit = account === feeAccount ? accounts.fees : accounts.creator(account)
      enter({ debit, credit: accounts.vault }, amount)
    }
    const reasons: { [reason: string]: number } = {}
    for (const { reason } of claims) reasons[reason] = (reasons[reason] ?? 0) + 1
    return {
      claims: claims.length,
      claimed,
      newCredits: isNew.length,
      knownCredits: credits.length - isNew.length,
      creators: credits.flatMap(({ account }) => {
        const creator = Number(account) - firstCreator
        return creator < 0 ? [] : [creator]
      }),
      reasons,
    }
  }

  /** All that is charged; whoever had demanded everything back takes the rest and goes on with new deposits. */
  function claim(channel: Channel) {
    const { id, charged, pendingWithdrawal } = channel
    const balance = pendingWithdrawal ? charged : channel.balance
    all[fanOf(id)] = {
      ...channel,
      totalClaimed: charged,
      balance,
      pendingWithdrawal: undefined,
    }
    waiting.delete(id)
  }

  function enter(accounts: { debit: string; credit: string }, amount: bigint) {
    const legs = move(accounts, { currency: token, amount })
    post(balances, { id: 'settlement', at: 0, reason: 'settlement', reference: '', legs })
  }
}

/** Ids are places, so that no map is needed to find a channel. */
function idOf(fan: number): Hex {
  return `0x${fan.toString(16).padStart(64, '0')}`
}

function fanOf(id: Hex): number {
  return Number(`0x${id.slice(-12)}`)
}

function openChannel(fan: number): Channel {
  const payer = address(1_000_000 + fan)
  const config = {
    payer,
    payerAuthorizer: payer,
    receiver: vault,
    receiverAuthorizer: hubAccount,
    token,
    withdrawDelay: 86_400,
    salt: `0x${'00'.repeat(32)}`,
  } as const
  return newChannel(idOf(fan), { config, contract, terms })
}
