// A creator's proof that an audit counts what it is owed.

import { writeFile } from 'node:fs/promises'
import { toJson } from '#protocol/messages/wire.ts'
import type { ProofCheck } from '../audits.ts'
import { tokenText } from './money.ts'
import type { Session } from './session.ts'
import { findHandle } from './session.ts'
import type { Report } from './terminal.ts'
import { short, table, timeText } from './terminal.ts'

/** Fetches and checks this creator's proof under the newest audit, and writes it to a file when one is named. */
export async function proof(
  session: Session,
  { out, handle: given }: { out?: string; handle?: string },
): Promise<Report> {
  const { jandon, terminal } = session
  const handle = await findHandle(session, given)
  const check = await terminal.during('asking the hub', () => jandon.proof(handle))
  if (out !== undefined) await writeFile(out, `${toJson(check.proof)}\n`, { mode: 0o600 })
  return proofReport(check)
}

/** Whether a proof holds, and what it counts. One that does not hold is a refusal. */
export function proofReport(check: ProofCheck): Report {
  const { fault, proof: of, hub } = check
  const verdict =
    fault === null
      ? `Valid: the signed total counts @${of.creator.handle}.`
      : `NOT valid: ${fault}.`
  const rows = of.proofs.flatMap(({ root, leaf }) => {
    const show = (amount: bigint) => amountText(check, root.token, amount)
    return [
      ['  owed, not yet yours', show(leaf.owed)],
      ['  yours, in the vault', show(leaf.yours)],
      ['  of all that is owed', `${show(root.total)} to ${root.leaves} accounts`],
      ['  counted', `${timeText(Number(root.takenAt))}, group ${root.group}, block ${root.block}`],
      ['  root', root.root],
    ]
  })
  const key = ['  receipt key', hub.receiptSigner]
  const next = 'Others who are owed should see the same root for the same group.'
  return {
    json: { valid: fault === null, ...check },
    lines: [verdict, ...table([...rows, key]), next],
    exitCode: fault === null ? 0 : 1,
  }
}

function amountText({ tokens }: ProofCheck, address: string, amount: bigint): string {
  const token = tokens.find((known) => known.address === address)
  return token ? tokenText(amount, token) : `${amount} base units of ${short(address)}`
}
