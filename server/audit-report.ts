// Audits in words, for an operator's terminal.

import { formatAmount } from '#protocol/amount.ts'
import type { AuditView, CreatorProof } from '#protocol/messages/audits.ts'
import type { TokenInfo } from '#protocol/messages/hub.ts'

type Tokens = readonly TokenInfo[]

/** What was found and signed: for each token what is owed, what there is, and the root; then where books and chain differ. */
export function auditLines(audit: AuditView, tokens: Tokens): string[] {
  const { group, block, takenAt, verdict } = audit
  const differing = audit.lines.filter(({ books, truth }) => books !== truth)
  return [
    `Audit of group ${group} at block ${block}, ${new Date(Number(takenAt)).toISOString()}`,
    ...audit.tokens.flatMap((token) => tokenLines(token, { verdict, tokens })),
    ...differing.map(
      ({ token, line, where, books, truth }) =>
        `  ${line} of ${token}: ${books} in the books, ${truth} in truth (${where})`,
    ),
    verdict === 'unknown'
      ? 'The chain could not be asked: what there is is not known'
      : `Every creator can check it with "jandon proof"; anyone sees the root at /v1/audits`,
  ]
}

/** Where a creator stands in the newest audit. */
export function proofLines({ creator, proofs }: CreatorProof, tokens: Tokens): string[] {
  return proofs.flatMap(({ root, leaf, path }) => {
    const show = (amount: bigint) => amountText(amount, root.token, tokens)
    return [
      `@${creator.handle}, ${creator.account}: ${show(leaf.owed)} owed and ${show(leaf.yours)} in the vault`,
      `  leaf ${leaf.index} of ${root.leaves}, ${path.length} nodes up to root ${root.root} of group ${root.group}`,
    ]
  })
}

function tokenLines(
  { signed, reserves, lost, uncovered }: AuditView['tokens'][number],
  { verdict, tokens }: { verdict: AuditView['verdict']; tokens: Tokens },
): string[] {
  const show = (amount: bigint) => amountText(amount, signed.token, tokens)
  const there = reserves === null ? 'what there is is' : `${show(reserves)} there:`
  const lines = [
    `  ${show(signed.total)} owed to ${signed.leaves} accounts, ${there} ${verdict}`,
    `  root ${signed.root}`,
  ]
  if (lost > 0n) lines.push(`  ${show(lost)} was credited for tips that the books lost`)
  if (uncovered > 0n) lines.push(`  ${show(uncovered)} stands against channels that do not hold it`)
  return lines
}

function amountText(amount: bigint, address: string, tokens: Tokens): string {
  const token = tokens.find((listed) => listed.address === address)
  if (!token) return `${amount} of ${address}`
  const sign = amount < 0n ? '−' : ''
  return `${sign}${formatAmount(amount < 0n ? -amount : amount, token.decimals)} ${token.symbol}`
}
