// The only reader of the environment. Every setting has a unit in its name or its comment, and a bad one stops the start.

import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'

import type { Hex } from 'viem'
import { z } from 'zod'
import type { Currency } from '#protocol/amount.ts'
import { currencyDigits, parseAmount } from '#protocol/amount.ts'
import { address, hash } from '#protocol/messages/wire.ts'
import { ticksPerCommitment } from '#protocol/tick.ts'
import { endpointSettings } from './chain/connect.ts'
import type { Deployment } from './chain/deployment.ts'
import { readDeployment } from './chain/deployment.ts'
import type { DepositDepth } from './chain/deposit-depth.ts'
import type { SettlementPolicy } from './chain/settlement-policy.ts'
import type { FeePolicy } from './chain/upkeep.ts'
import type { DepositTerms } from './channels/deposits.ts'
import {
  keyFaults,
  keystoreFile,
  passphraseSetting,
  requireKeySetting,
} from './keys/key-settings.ts'
import type { PairRate } from './payouts/quotes.ts'
import { rateFromPrice } from './payouts/quotes.ts'
import { towerToken } from './tower/config.ts'

const number = (fallback: number, maximum: number) =>
  z.coerce.number().int().min(0).max(maximum).default(fallback)

const decimal = (fallback: string) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .default(fallback)

const environment = z.object({
  JANDON_DATA_DIR: z.string().min(1).describe('where the hub keeps everything'),
  JANDON_HOST: z.string().default('127.0.0.1').describe('the address to listen on'),
  JANDON_PORT: number(8402, 65_535).describe('the port to listen on, 0 for any'),
  JANDON_PROXIES: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((name) => name !== ''))
    .describe('proxies in front, addresses or networks, whose X-Forwarded-For is believed'),
  JANDON_CONNECTIONS: number(10_000, 1_000_000).describe('connections that may be open at once'),
  JANDON_CONNECTIONS_PER_ADDRESS: number(1_000, 1_000_000).describe(
    'connections that one address may have open',
  ),
  JANDON_HEADERS_MS: number(10_000, 600_000).describe(
    'how long the headers of a request may take, ms',
  ),
  JANDON_REQUEST_MS: number(30_000, 600_000).describe(
    'how long a whole request may take to come in, ms',
  ),
  JANDON_PUBLIC_URL: z.url().optional().describe('the origin that people sign in to'),
  ...endpointSettings,
  JANDON_DEPLOYMENT: z.string().describe('the file that deploying the contracts wrote'),
  JANDON_OPERATOR_KEY: hash
    .optional()
    .describe('the private key of the hub account’s operator; or'),
  JANDON_OPERATOR_KEYSTORE: keystoreFile.describe('a keystore file of version 3 that holds it'),
  JANDON_RECEIPT_KEY: hash
    .optional()
    .describe('the private key that signs receipts and quotes; or'),
  JANDON_RECEIPT_KEYSTORE: keystoreFile.describe('a keystore file of version 3 that holds it'),
  ...passphraseSetting,
  JANDON_OPERATOR_TOKEN: z
    .string()
    .regex(/^[\w-]{16,200}$/, 'must be 16 to 200 letters, digits, _ and -')
    .describe('the bearer token of the operator’s routes'),
  JANDON_FEE_ACCOUNT: address.describe('the vault account that earns fees'),
  JANDON_TREASURY: address.describe('the address that cash-outs pay to'),
  JANDON_CONFIRMATIONS: number(12, 10_000).describe('blocks on top before anything is booked'),
  JANDON_DEPOSIT_CONFIRMATIONS: z
    .string()
    .default('1000:24,10000:64')
    .describe('more blocks for bigger deposits: from so many token units, so many blocks'),
  JANDON_REORG_LIMIT: number(64, 10_000).describe('booked blocks that a reorg may take back'),
  JANDON_POLL_MS: number(1_000, 60_000).describe(
    'pause between looks at the chain and the bank, ms',
  ),
  JANDON_TIP_FEE_BPS: number(100, 5_000).describe('the hub’s share of a tip, basis points'),
  JANDON_MINIMUM_DEPOSIT: decimal('1').describe('smallest relayed deposit, token units'),
  JANDON_RELAY_FEE: decimal('0.05').describe('what a relayed deposit costs, token units'),
  JANDON_MIN_WITHDRAW_DELAY_S: number(86_400, 2_592_000).describe(
    'shortest withdraw delay of channels, seconds',
  ),
  JANDON_GAS_BUDGET_GWEI: decimal('500').describe(
    'the most that a transaction offers for a unit of gas, gwei',
  ),
  JANDON_TRANSACTION_MS: number(600_000, 2 ** 31).describe(
    'a transaction that waits so long offers all of the budget, ms',
  ),
  JANDON_REPLACE_MS: number(30_000, 3_600_000).describe(
    'pause before a transaction is sent again or replaced, ms',
  ),
  // What settles, and when: docs/settlement.md says why these are the defaults.
  JANDON_CLAIM_AT_RISK: decimal('10000').describe(
    'settle when this much is unclaimed, token units',
  ),
  JANDON_CLAIM_MAX_AGE_MS: number(604_800_000, 2 ** 31).describe(
    'settle when the oldest is this old, ms',
  ),
  JANDON_CLAIM_GAS_SHARE_BPS: number(100, 10_000).describe(
    'settle what costs at most this share of itself in gas, basis points',
  ),
  JANDON_CLAIM_GAS: z.coerce
    .number()
    .int()
    .min(500_000)
    .max(30_000_000)
    .default(7_000_000)
    .describe('how much gas a settlement may use'),
  JANDON_ETHER_PRICE: decimal('3000').describe(
    'what one ether is worth, roughly, token units; 0: the share of gas is not looked at',
  ),
  JANDON_CREDIT_AT: decimal('5').describe(
    'credit an account with the next settlement from here on, token units',
  ),
  JANDON_CREDIT_MAX_AGE_MS: number(604_800_000, 2 ** 31).describe(
    'settle for an account that is owed anything so long, ms',
  ),
  JANDON_CREDIT_MINIMUM: decimal('0.1').describe(
    'the least that a creator can ask to be credited with, token units',
  ),
  JANDON_RESERVES_MS: number(3_600_000, 2 ** 31).describe('pause between reserve checks, ms'),
  JANDON_TOWER_URL: z.url().optional().describe('the hub’s watchtower; none, nothing is fed'),
  JANDON_TOWER_TOKEN: towerToken.optional().describe('the secret that hub and tower share'),
  JANDON_TOWER_FEED_MS: number(1_000, 5_000).describe('pause between messages to the tower, ms'),
  JANDON_TOWER_UNTOLD: decimal('1').describe(
    'a basket that leaves more of its channel untold waits for the tower, token units',
  ),
  JANDON_MAX_WAITING: number(10_000, 1_000_000).describe('requests that may wait for the disk'),
  JANDON_MAX_STREAMS: number(10_000, 1_000_000).describe('streams of ticks that may be open'),
  JANDON_TICKS_PER_REVEAL: z.coerce
    .number()
    .int()
    .min(1)
    .max(ticksPerCommitment.maximum)
    .default(64)
    .describe('ticks that one reveal may pay'),
  JANDON_STREAM_IDLE_MS: number(60_000, 86_400_000).describe(
    'the hub ends a stream after this long without a tick, ms',
  ),
  JANDON_SIGNATURE_WORKERS: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(Math.max(1, availableParallelism() - 1))
    .describe('threads that check signatures'),
  JANDON_BANK_URL: z
    .url()
    .optional()
    .describe('the bank that takes payment files; none, no cash-out'),
  JANDON_BANK_TIMEOUT_MS: number(5_000, 600_000).describe(
    'how long the bank may take to answer, ms',
  ),
  JANDON_BANK_ACCOUNT: z
    .string()
    .default('11000000000001')
    .describe('the hub’s account at the bank'),
  JANDON_BANK_HOLDER: z
    .string()
    .default('jandon hub')
    .describe('the name that account is held under'),
  JANDON_BANK_MEMBER: z.string().default('110').describe('the bank’s clearing code'),
  JANDON_BANK_FLOAT: z
    .string()
    .optional()
    .describe('what the account held at first, such as KRW:100000000'),
  JANDON_XSD_DIR: z.string().default('.jandon/xsd').describe('where the ISO 20022 schemas are'),
  JANDON_RATES: z
    .string()
    .optional()
    .describe('a JSON file of prices: [{token, currency, price, source, asOf}]'),
  JANDON_PAYOUT_FEE_BPS: number(50, 5_000).describe('the hub’s share of a cash-out, basis points'),
  JANDON_RAIL_FEE: number(500, 1_000_000).describe('what a bank transfer costs, minor units'),
  JANDON_QUOTE_MS: number(300_000, 3_600_000).describe('how long a quote is firm, ms'),
  JANDON_MAX_RATE_AGE_MS: number(86_400_000, 2 ** 31).describe('how old a rate may be, ms'),
  JANDON_WEBHOOKS_PER_ACCOUNT: number(10, 1_000).describe('webhooks that one account may have'),
  JANDON_WEBHOOKS: number(10_000, 1_000_000).describe('webhooks that all accounts may have'),
  JANDON_WEBHOOKS_LOCAL: z
    .stringbool()
    .default(false)
    .describe('true: webhooks may go to this machine over http, for development'),
  JANDON_WEBHOOK_TIMEOUT_MS: number(10_000, 60_000).describe(
    'how long an endpoint may take to answer, ms',
  ),
  JANDON_WEBHOOK_ATTEMPTS: number(10, 100).describe('attempts before an event is given up'),
  JANDON_WEBHOOK_RETRY_MS: number(5_000, 3_600_000).describe(
    'pause after the first failure, fourfold after each further one, ms',
  ),
  JANDON_WEBHOOK_RETRY_MAX_MS: number(43_200_000, 2 ** 31 - 1).describe(
    'longest pause between attempts, ms',
  ),
  JANDON_WEBHOOK_OVERLAP_MS: number(86_400_000, 2 ** 31).describe(
    'how long an old secret stays good beside a new one, ms',
  ),
  JANDON_WEBHOOK_SOCKETS: number(1_024, 65_535).describe(
    'requests at once to endpoints that work, and as many to others',
  ),
})

/** A transaction that so many blocks left out offers more. */
const blocksPassedOver = 2n

const ratesFile = z.array(
  z.strictObject({
    token: address,
    currency: z.custom<Currency>(
      (value) => typeof value === 'string' && Object.hasOwn(currencyDigits, value),
    ),
    price: z.string(),
    source: z.string().min(1),
    asOf: z.iso.datetime(),
  }),
)

export type Settings = z.output<typeof environment>

/** Settings after the files that they name were read: keys are there, wherever they come from. */
export type Config = Omit<Settings, 'JANDON_OPERATOR_KEY' | 'JANDON_RECEIPT_KEY'> & {
  JANDON_OPERATOR_KEY: Hex
  JANDON_RECEIPT_KEY: Hex
  deployment: Deployment
  depositTerms: DepositTerms[]
  fees: FeePolicy
  settlementPolicy: SettlementPolicy
  depositDepths: DepositDepth[]
  /** The watchtower, if there is one; `untoldAtMost` in base units. */
  tower: { url: string; secret: string; untoldAtMost: bigint } | undefined
  rates: PairRate[]
  bankFloat: { currency: Currency; amount: bigint } | undefined
}

/**
 * Reads and checks the whole configuration.
 *
 * @throws Error that names every setting that is missing or wrong, and what it is for.
 */
export async function readConfig(env: NodeJS.ProcessEnv): Promise<Config> {
  const parsed = environment.safeParse(env)
  const faults = keyFaults(env, ['operator', 'receipt'])
  if (!parsed.success || faults.length > 0) {
    const issues = parsed.error?.issues ?? []
    const lines = issues.map(({ path, message }) => describeSetting(String(path[0]), message))
    throw new Error(`the configuration is not complete:\n${[...lines, ...faults].join('\n')}`)
  }
  const settings = parsed.data
  const deployment = await readDeployment(settings.JANDON_DEPLOYMENT)
  const decimals = deployment.tokens[0]?.decimals ?? 0
  return {
    ...settings,
    JANDON_OPERATOR_KEY: await requireKeySetting(env, 'operator'),
    JANDON_RECEIPT_KEY: await requireKeySetting(env, 'receipt'),
    deployment,
    depositTerms: deployment.tokens.map((token) => ({
      token: token.address,
      minimumDeposit: tokenUnits(
        'JANDON_MINIMUM_DEPOSIT',
        settings.JANDON_MINIMUM_DEPOSIT,
        token.decimals,
      ),
      relayFee: tokenUnits('JANDON_RELAY_FEE', settings.JANDON_RELAY_FEE, token.decimals),
    })),
    depositDepths: deployment.tokens.flatMap((token) =>
      readDepths(settings.JANDON_DEPOSIT_CONFIRMATIONS, token),
    ),
    fees: {
      budgetPerGas: tokenUnits('JANDON_GAS_BUDGET_GWEI', settings.JANDON_GAS_BUDGET_GWEI, 9),
      deadlineMs: settings.JANDON_TRANSACTION_MS,
      patienceMs: settings.JANDON_REPLACE_MS,
      passedOver: blocksPassedOver,
    },
    settlementPolicy: settlementPolicy(settings, decimals),
    tower: towerOf(settings, decimals),
    rates: settings.JANDON_RATES ? await readRates(settings.JANDON_RATES, deployment) : [],
    bankFloat:
      settings.JANDON_BANK_FLOAT === undefined ? undefined : readFloat(settings.JANDON_BANK_FLOAT),
  }
}

const settlementSettings = environment.pick({
  JANDON_TIP_FEE_BPS: true,
  JANDON_GAS_BUDGET_GWEI: true,
  JANDON_CLAIM_AT_RISK: true,
  JANDON_CLAIM_MAX_AGE_MS: true,
  JANDON_CLAIM_GAS_SHARE_BPS: true,
  JANDON_CLAIM_GAS: true,
  JANDON_ETHER_PRICE: true,
  JANDON_CREDIT_AT: true,
  JANDON_CREDIT_MAX_AGE_MS: true,
  JANDON_CREDIT_MINIMUM: true,
})

/** Only what decides about settlements, for who has no hub to start. Wei, gas and basis points. */
export function readSettlementTerms(env: NodeJS.ProcessEnv, decimals: number) {
  const settings = settlementSettings.parse(env)
  return {
    policy: settlementPolicy(settings, decimals),
    budgetPerGas: tokenUnits('JANDON_GAS_BUDGET_GWEI', settings.JANDON_GAS_BUDGET_GWEI, 9),
    gasPerTransaction: BigInt(settings.JANDON_CLAIM_GAS),
    tipFee: BigInt(settings.JANDON_TIP_FEE_BPS),
  }
}

/** Amounts are in units of the first listed token; the others have as many decimals, or amounts of their own are needed. */
function settlementPolicy(
  settings: z.output<typeof settlementSettings>,
  decimals: number,
): SettlementPolicy {
  const units = (name: keyof typeof settings) => tokenUnits(name, String(settings[name]), decimals)
  return {
    amountAtRisk: units('JANDON_CLAIM_AT_RISK'),
    maxAgeMs: settings.JANDON_CLAIM_MAX_AGE_MS,
    gasShare: BigInt(settings.JANDON_CLAIM_GAS_SHARE_BPS),
    ether: units('JANDON_ETHER_PRICE'),
    creditAt: units('JANDON_CREDIT_AT'),
    creditMaxAgeMs: settings.JANDON_CREDIT_MAX_AGE_MS,
    creditMinimum: units('JANDON_CREDIT_MINIMUM'),
  }
}

/** The settings with what they are for, for `--help`. */
export function describeSettings(): string {
  return Object.keys(environment.shape)
    .map((name) => `  ${name.padEnd(28)} ${meaning(name)}`)
    .join('\n')
}

async function readRates(path: string, { tokens }: Deployment): Promise<PairRate[]> {
  const rates = ratesFile.parse(JSON.parse(await readFile(path, 'utf8')))
  return rates.map(({ token, currency, price, source, asOf }) => {
    const listed = tokens.find((candidate) => candidate.address === token)
    if (!listed) throw new Error(`${path}: token ${token} is not in the deployment`)
    const fraction = rateFromPrice(price, currency)
    return {
      token,
      currency,
      ...fraction,
      decimals: listed.decimals,
      source,
      asOf: Date.parse(asOf),
    }
  })
}

/** Steps as "1000:24,10000:64"; none in an empty text. */
function readDepths(
  text: string,
  { address: token, decimals }: Deployment['tokens'][number],
): DepositDepth[] {
  const name = 'JANDON_DEPOSIT_CONFIRMATIONS'
  return text === ''
    ? []
    : text.split(',').map((step) => {
        const [units = '', blocks = ''] = step.trim().split(':')
        if (!/^\d+(\.\d+)?$/.test(units) || !/^\d{1,5}$/.test(blocks))
          throw new Error(
            describeSetting(name, `"${step}" is not an amount and a number of blocks`),
          )
        return { token, from: tokenUnits(name, units, decimals), confirmations: Number(blocks) }
      })
}

function towerOf(settings: Settings, decimals: number): Config['tower'] {
  const { JANDON_TOWER_URL: url, JANDON_TOWER_TOKEN: secret, JANDON_TOWER_UNTOLD } = settings
  if (url === undefined) return undefined
  if (secret === undefined)
    throw new Error(describeSetting('JANDON_TOWER_TOKEN', 'is needed with JANDON_TOWER_URL'))
  const untoldAtMost = tokenUnits('JANDON_TOWER_UNTOLD', JANDON_TOWER_UNTOLD, decimals)
  return { url, secret, untoldAtMost }
}

function readFloat(text: string): { currency: Currency; amount: bigint } {
  const [currency = '', sum = ''] = text.split(':')
  const digits = Object.hasOwn(currencyDigits, currency) ? currencyDigits[currency as Currency] : 0
  const amount = parseAmount(sum, digits)
  if (!Object.hasOwn(currencyDigits, currency) || amount === undefined) {
    throw new Error(describeSetting('JANDON_BANK_FLOAT', `"${text}" is not a currency and a sum`))
  }
  return { currency: currency as Currency, amount }
}

function tokenUnits(name: string, text: string, decimals: number): bigint {
  const amount = parseAmount(text, decimals)
  if (amount === undefined)
    throw new Error(describeSetting(name, `"${text}" has more than ${decimals} decimals`))
  return amount
}

function describeSetting(name: string, message: string): string {
  return `  ${name}: ${message} (${meaning(name)})`
}

function meaning(name: string): string {
  const shape: Record<string, z.ZodType> = environment.shape
  return shape[name]?.description ?? ''
}
