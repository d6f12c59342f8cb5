// Audits on the wire: what was published, and the proof that one account is counted.

import { z } from 'zod'
import { address, amount, handle, hash, signature, uint64 } from './wire.ts'

/** Base units of either sign: books that are wrong may say anything. */
const balance = z
  .string()
  .regex(/^-?(?:0|[1-9]\d{0,77})$/, 'must be a whole number in decimal digits')
  .transform((text) => BigInt(text))

const leaves = z.int().min(1).max(0xffff_ffff)

/** What the hub signed for one token: `LiabilityRoot` of PROTOCOL.md §7. */
export const signedRoot = z.object({
  token: address,
  root: hash,
  leaves,
  total: amount,
  group: uint64,
  block: uint64,
  takenAt: uint64,
  signature,
})

/** One comparison of a hub's books with the chain, in base units; `where` names the accounts and contracts. */
const reserveLine = z.object({
  token: address,
  line: z.string(),
  where: z.string(),
  books: balance,
  truth: balance,
})

/**
 * One audit. `verdict` is of the reserves at its block; `unknown` means that the chain could not be asked. `reserves` is what there is
 * for each token: on channels, on its way to the vault, and in it; `uncovered` of it stands against channels that hold less than
 * they are charged. `lost` was credited for tips that the books lost.
 */
export const auditView = z.object({
  group: uint64,
  block: uint64,
  takenAt: uint64,
  verdict: z.enum(['equal', 'unequal', 'unknown']),
  lines: z.array(reserveLine),
  tokens: z.array(
    z.object({
      signed: signedRoot,
      reserves: balance.nullable(),
      lost: amount,
      uncovered: amount,
    }),
  ),
})

/** Answer to `GET /v1/audits`, newest first. */
export const auditList = z.object({ audits: z.array(auditView), next: z.string().nullable() })

/** The query of `GET /v1/audits`: `cursor` is the group of the last audit of the page before. */
export const auditCursor = uint64

/** That one account is counted under a signed root. */
export const liabilityProof = z.object({
  root: signedRoot,
  leaf: z.object({
    index: z.int().min(0),
    salt: hash,
    account: address,
    owed: amount,
    yours: amount,
  }),
  path: z.array(z.object({ hash, sum: amount })).max(32),
})

/** Answer to `GET /v1/creators/:handle/proof`: one proof for each token, under the newest audit, and what hub it is of. */
export const creatorProof = z.object({
  chainId: z.int(),
  hubAccount: address,
  receiptSigner: address,
  creator: z.object({ handle, account: address }),
  proofs: z.array(liabilityProof).max(1_000),
})

export type AuditView = z.output<typeof auditView>
export type CreatorProof = z.output<typeof creatorProof>
