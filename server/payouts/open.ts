// Money out to banks as the hub's settings want it: quotes, payouts, and the rail of bank files that carries them.

import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { MoneyLock } from '../recovery/lock.ts'
import type { BankDesk, BankDeskDeps } from './bank-desk.ts'
import { createBankDesk } from './bank-desk.ts'
import type { BankRail } from './bank-rail.ts'
import { createBankRail } from './bank-rail.ts'
import { createBankLink } from './iso20022/bank-link.ts'
import { loadSchemas } from './iso20022/schema.ts'
import type { PayoutBook } from './payout-book.ts'
import { loadPayoutBook } from './payout-book.ts'
import type { PayoutDeps, Payouts } from './payouts.ts'
import { createPayouts } from './payouts.ts'
import type { QuoteDeps, Quotes } from './quotes.ts'
import { createQuotes } from './quotes.ts'

type Deps = Omit<QuoteDeps, 'rates' | 'fees' | 'policy' | 'treasury' | 'assertMoneyMayLeave'> &
  Pick<PayoutDeps, 'transactions' | 'follower' | 'background'> &
  Pick<BankDeskDeps, 'onFault'> & { lock: MoneyLock }

/** A hub without a bank has no desk. `closeRail` lets go of the schemas. */
export async function openPayouts(
  config: Config,
  deps: Deps,
): Promise<{
  quotes: Quotes
  payoutBook: PayoutBook
  payouts: Payouts
  desk: BankDesk | undefined
  closeRail: () => void
}> {
  const { db, log, lock, now, onFault } = deps
  const treasury = config.JANDON_TREASURY
  const assertMoneyMayLeave = lock.assertOff
  const quotes = createQuotes({
    ...deps,
    rates: config.JANDON_BANK_URL ? config.rates : [],
    fees: {
      hubBasisPoints: BigInt(config.JANDON_PAYOUT_FEE_BPS),
      railFee: BigInt(config.JANDON_RAIL_FEE),
    },
    policy: { firmMs: config.JANDON_QUOTE_MS, maxRateAgeMs: config.JANDON_MAX_RATE_AGE_MS },
    treasury,
    assertMoneyMayLeave,
  })
  const payoutBook = await loadPayoutBook({ db, now })
  const payouts = createPayouts({
    ...deps,
    book: payoutBook,
    quotes,
    vault: config.deployment.vault,
    treasury,
    assertMoneyMayLeave,
    paidBy: () => lock.current()?.asOf ?? now(),
  })
  const rail = openBankRail(config, now)
  const mayHandOver = () => lock.current() === undefined
  const desk =
    rail && createBankDesk({ db, log, book: payoutBook, rail, now, mayHandOver, onFault })
  return { quotes, payoutBook, payouts, desk, closeRail: () => rail?.dispose() }
}

function openBankRail(
  config: Config,
  now: () => number,
): (BankRail & { dispose: () => void }) | undefined {
  if (!config.JANDON_BANK_URL) return undefined
  const schemas = loadSchemas(config.JANDON_XSD_DIR)
  const link = createBankLink({
    baseUrl: config.JANDON_BANK_URL,
    fetch: globalThis.fetch,
    timeoutMs: config.JANDON_BANK_TIMEOUT_MS,
  })
  const debtor = {
    name: config.JANDON_BANK_HOLDER,
    account: { other: config.JANDON_BANK_ACCOUNT },
    agent: { clearingSystem: 'KFTC', memberId: config.JANDON_BANK_MEMBER },
  }
  const directory = join(config.JANDON_DATA_DIR, 'payment-files')
  return { ...createBankRail({ link, schemas, directory, debtor, now }), dispose: schemas.dispose }
}
