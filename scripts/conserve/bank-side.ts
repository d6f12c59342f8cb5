// What the bank's books say, held against the hub's (I9).

import { z } from 'zod'
import type { Books } from './books-side.ts'
import type { Check } from './check.ts'
import { same, sumOf } from './check.ts'

const amount = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt)

const bankBooks = z.object({
  accounts: z.array(
    z.object({ number: z.string(), currency: z.string(), kind: z.string(), balance: amount }),
  ),
  entries: z.array(
    z.object({
      cause: z.string(),
      endToEndId: z.string().nullish(),
      postings: z.array(z.object({ account: z.string(), currency: z.string(), amount })),
    }),
  ),
  sums: z.record(z.string(), amount),
})

export type BankSide = z.output<typeof bankBooks>

export async function readBank(url: string): Promise<BankSide> {
  const response = await fetch(new URL('/books', url))
  return bankBooks.parse(await response.json())
}

/** The bank's books balance, its account for the hub is what the hub thinks, and each payout was paid once or not at all. */
export function bankChecks(books: Books, bank: BankSide): Check[] {
  const account = bank.accounts.find(({ kind }) => kind === 'customer')
  const currency = account?.currency ?? ''
  return [
    ...Object.entries(bank.sums).map(([code, sum]) =>
      same(`bank: entries in ${code} add up to zero`, sum, 0n),
    ),
    same(
      'bank: account = the hub’s booking',
      account?.balance ?? 0n,
      books.balances.get(`${currency}|bank`) ?? 0n,
    ),
    ...books.payouts.map(({ payoutId, state, net, endToEndId }) => {
      const paid = paidTo(bank, { endToEndId, own: account?.number })
      return same(
        `payout ${payoutId}: ${state} = paid by the bank`,
        state === 'SETTLED' ? net : 0n,
        paid,
      )
    }),
    same('bank: payments that are no payout of the hub', BigInt(strangers(books, bank).length), 0n),
  ]
}

function paidTo(
  { entries }: BankSide,
  { endToEndId, own }: { endToEndId: string | null; own: string | undefined },
): bigint {
  const mine = entries.filter((entry) => endToEndId !== null && entry.endToEndId === endToEndId)
  return sumOf(
    mine.flatMap(({ postings }) =>
      postings.filter((posting) => posting.account !== own).map((posting) => posting.amount),
    ),
  )
}

function strangers({ payouts }: Books, { entries }: BankSide) {
  const ours = new Set(payouts.map(({ endToEndId }) => endToEndId))
  return entries.filter(({ endToEndId }) => endToEndId && !ours.has(endToEndId))
}
