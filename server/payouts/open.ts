// The rail of bank files as the hub's settings want it.

import { join } from 'node:path'
import type { Config } from '../config.ts'
import type { BankRail } from './bank-rail.ts'
import { createBankRail } from './bank-rail.ts'
import { createBankLink } from './iso20022/bank-link.ts'
import { loadSchemas } from './iso20022/schema.ts'

/** The rail, or `undefined` for a hub without a bank. `dispose` lets go of the schemas. */
export function openBankRail(
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
