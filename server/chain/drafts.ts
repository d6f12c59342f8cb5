// The settlements that would be sent now: chosen by policy, tried out, and sized to fit a transaction each.

import type { Address, PublicClient } from 'viem'
import type { CeilingProof, Channel } from '../channels/channel.ts'
import { accounts } from '../ledger/accounts.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { SetAsides } from './set-aside.ts'
import type { ShownClaim } from './settlement-call.ts'
import type { Busy, Draft, Outlook, PlanDeps } from './settlement-plan.ts'
import { claimOf, draftClaims, fitCredits, lookOut, withDraft } from './settlement-plan.ts'
import type { DecidedClaim, Moment, SettlementPolicy } from './settlement-policy.ts'
import type { TrialDeps } from './trial.ts'
import { tryClaims } from './trial.ts'

/** Everything, because the operator asks, or what policy says is due. */
export type Extent = 'all' | 'due'

/** A draft with what its claims show; `tried` holds what was chosen for it, also what its trial took out. */
export type TriedDraft = { draft: Draft; shown: ShownClaim[]; tried: Busy }

export type Drafts = {
  /** The next settlement of a token beside what is busy, or nothing. Its draft is empty when its trial took everything out. */
  next(token: Address, of: { extent: Extent; busy: Busy }): Promise<TriedDraft | undefined>
  /** What waits in a token and what policy says of it, with up to `limit` settlements. */
  plan(
    token: Address,
    of: { extent: Extent; busy: Busy; limit: number },
  ): Promise<{ outlook: Outlook; drafts: Draft[] }>
  /** The present price of gas, and what else decides. */
  moment(extent: Extent): Promise<Omit<Moment, 'overhead'>>
}

export type DraftDeps = PlanDeps & {
  chain: Pick<PublicClient, 'getGasPrice'>
  trial: TrialDeps
  /** What a claim on a channel shows; nothing if the stored proof is not its payer's. */
  proofOf: (channel: Channel) => CeilingProof | undefined
  setAsides: SetAsides
  policy: SettlementPolicy
  budgetPerGas: bigint
  now: () => number
}

export const nothingBusy: Busy = { channels: new Set(), accounts: new Set(), spent: 0n }

export function createDrafts(deps: DraftDeps): Drafts {
  const drafts: Drafts = {
    async next(token, { extent, busy }) {
      if (!isAnything(deps, token)) return undefined
      const moment = await drafts.moment(extent)
      const outlook = await lookOut(deps, { token, busy: withAsides(deps, busy, extent), moment })
      const chosen = draftClaims(outlook, deps)
      const { shown, claimed } = await tryOut(deps, chosen)
      const good = new Set(shown.map(({ channel }) => channel.id))
      const claims = chosen.filter(({ channelId }) => good.has(channelId))
      const credits = fitCredits(deps, outlook, { token, claims, claimed })
      if (chosen.length === 0 && credits.length === 0) return undefined
      const tried = withDraft(busy, { token, claims: chosen, credits })
      return { draft: { token, claims, credits }, shown, tried }
    },
    async plan(token, { extent, busy, limit }) {
      const moment = await drafts.moment(extent)
      const outlook = await lookOut(deps, { token, busy, moment })
      const found: Draft[] = []
      let taken = busy
      while (found.length < limit) {
        const next = await drafts.next(token, { extent, busy: taken })
        if (!next) break
        taken = next.tried
        if (!isEmptyDraft(next.draft)) found.push(next.draft)
      }
      return { outlook, drafts: found }
    },
    async moment(extent) {
      const { chain, policy, budgetPerGas, now } = deps
      const gasPrice = await chain.getGasPrice()
      const isAsked = extent === 'all'
      return { policy, now: now(), gasPrice, isAsked, isDear: gasPrice > budgetPerGas }
    },
  }
  return drafts
}

export function isEmptyDraft({ claims, credits }: Draft): boolean {
  return claims.length === 0 && credits.length === 0
}

/** Spares the chain a question when nothing waits. */
function isAnything({ balances }: DraftDeps, token: Address): boolean {
  const names = [accounts.channels, accounts.vault, accounts.claimed]
  return names.some((name) => balanceOf(balances, name, token) > 0n)
}

/** Policy does not try again what was refused; the operator does. */
function withAsides({ setAsides }: DraftDeps, busy: Busy, extent: Extent): Busy {
  if (extent === 'all') return busy
  const aside = setAsides.list().map(({ channelId }) => channelId)
  return { ...busy, channels: new Set([...busy.channels, ...aside]) }
}

async function tryOut(
  { channels, proofOf, setAsides, trial }: DraftDeps,
  chosen: readonly DecidedClaim[],
): Promise<{ shown: ShownClaim[]; claimed: bigint }> {
  const claims = chosen.flatMap(({ channelId }): ShownClaim[] => {
    const channel = channels.get(channelId)
    const proof = proofOf(channel)
    if (proof) return [{ channel, proof, total: claimOf(channel) }]
    setAsides.add({ channelId, reason: 'the stored proof is not signed by its payer' })
    return []
  })
  const { good, bad, claimed } = await tryClaims(trial, claims)
  for (const { claim, reason } of bad) setAsides.add({ channelId: claim.channel.id, reason })
  return { shown: good, claimed }
}
