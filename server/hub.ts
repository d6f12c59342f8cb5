// A running hub: its parts put together over one data directory and one chain, and the loops that keep them going.

import { join } from 'node:path'
import type { Address, Hex } from 'viem'
import { createPublicClient, defineChain, http, toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import { hubDomainSeparator } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import { createBackups } from './backup/stream.ts'
import { createClaims } from './chain/claims.ts'
import { createFollower, DeepReorgError } from './chain/follower.ts'
import { createReserves } from './chain/reserves.ts'
import { createTransactions } from './chain/transactions.ts'
import { tipEvent } from './channels/basket-change.ts'
import { createBaskets } from './channels/baskets.ts'
import { createDeposits } from './channels/deposits.ts'
import { loadRefunds } from './channels/refunds.ts'
import { loadChannels } from './channels/registry.ts'
import { createDigestSigner, createSignatureBackend } from './channels/signature-backend.ts'
import { createTipLists } from './channels/tip-list.ts'
import type { Config } from './config.ts'
import { loadCreators } from './creators/creators.ts'
import { loadVaultAccounts } from './creators/vault-accounts.ts'
import { createLiveEvents } from './events/live.ts'
import { exportBooks } from './export.ts'
import { createGate } from './gate.ts'
import { createSessions } from './http/sessions.ts'
import { channelTerms, hubInfo } from './hub-info.ts'
import { accounts } from './ledger/accounts.ts'
import { balanceOf, move } from './ledger/entry.ts'
import { cpuSeconds, renderMetrics } from './metrics.ts'
import { createBankDesk } from './payouts/bank-desk.ts'
import { createBankRail } from './payouts/bank-rail.ts'
import { createBankLink } from './payouts/iso20022/bank-link.ts'
import { loadSchemas } from './payouts/iso20022/schema.ts'
import { loadPayoutBook } from './payouts/payout-book.ts'
import { createPayouts } from './payouts/payouts.ts'
import { createQuotes } from './payouts/quotes.ts'
import { loadMoneyLock } from './recovery/lock.ts'
import { openRecovery } from './recovery/recovery.ts'
import { createRunner } from './runner.ts'
import { openDatabase } from './store/database.ts'
import { createGroupLog } from './store/group-log.ts'
import { loadBalances, nextGroup, walkGroups } from './store/start-up.ts'

/** What comes from outside: time, randomness, the hub's own address, and where reports of trouble go. */
export type Surroundings = {
  now: () => number
  randomBytes: (count: number) => Uint8Array
  origin: () => URL
  logFailure: (what: string, cause: unknown) => void
  /** The disk failed: memory is ahead of it, so the process has to end. */
  onStorageFailure: (cause: unknown) => void
}

export type Hub = Awaited<ReturnType<typeof openHub>>

/** Opens the data directory and puts the parts together. Nothing runs before {@link Hub.start}. */
export async function openHub(config: Config, surroundings: Surroundings) {
  const { now, randomBytes, logFailure } = surroundings
  const { deployment } = config
  const identity = { chainId: deployment.chainId, hubAccount: deployment.hubAccount }
  const feeAccount = config.JANDON_FEE_ACCOUNT
  const chain = connect(config)
  const operator = privateKeyToAccount(config.JANDON_OPERATOR_KEY)
  const receiptSigner = lowerCase(privateKeyToAccount(config.JANDON_RECEIPT_KEY).address)
  const db = await openDatabase(config.JANDON_DATA_DIR, {
    ...identity,
    channels: deployment.channels,
    operator: lowerCase(operator.address),
    receiptSigner,
  })
  const balances = await loadBalances(db)
  const live = createLiveEvents({
    db,
    tipEvent: (tip) => tipEvent(tip, channels.get(tip.leaf.channelId).config.payerAuthorizer),
  })
  const epoch = toHex(randomBytes(32))
  const sign = createDigestSigner(config.JANDON_RECEIPT_KEY)
  const hubSeparator = hubDomainSeparator(identity)
  const log = createGroupLog({
    db,
    balances,
    last: await walkGroups(db),
    first: await nextGroup(db),
    epoch,
    separator: hubSeparator,
    sign,
    now,
    randomBytes,
    maxWaiting: config.JANDON_MAX_WAITING,
    onCommitted: live.publish,
    onFailure: surroundings.onStorageFailure,
  })
  const gate = createGate()
  const runner = createRunner({ logFailure, pauseMs: config.JANDON_POLL_MS })
  const channels = await loadChannels(db)
  const creators = await loadCreators({ db, log, chain, hub: identity })
  const vaultAccounts = await loadVaultAccounts(db)
  const transactions = createTransactions({
    db,
    log,
    chain,
    account: operator,
    chainId: identity.chainId,
  })
  const lock = loadMoneyLock({ db, now, isOurs: transactions.isOurs, onOtherHand })
  const assertMoneyMayLeave = lock.assertOff
  const backend = createSignatureBackend()
  const fees = { basisPoints: BigInt(config.JANDON_TIP_FEE_BPS), account: feeAccount }
  const terms = channelTerms(config)
  const assertOpen = () => {
    gate.assertOpen()
    reserves.assertEqual()
  }
  const separatorOf = separators(identity.chainId)
  const baskets = createBaskets({
    db,
    log,
    balances,
    channels,
    creators,
    vaultAccounts,
    backend,
    separatorOf,
    fees,
    now,
    assertOpen,
  })
  const background = runner.background
  const followerLater = () => follower
  const refunds = await loadRefunds({
    db,
    log,
    channels,
    transactions,
    hubAccount: identity.hubAccount,
    randomBytes,
    assertMoneyMayLeave,
    follower: followerLater,
    background,
  })
  const treasury = config.JANDON_TREASURY
  const quotes = createQuotes({
    db,
    log,
    vaultAccounts,
    rates: config.JANDON_BANK_URL ? config.rates : [],
    fees: {
      hubBasisPoints: BigInt(config.JANDON_PAYOUT_FEE_BPS),
      railFee: BigInt(config.JANDON_RAIL_FEE),
    },
    policy: { firmMs: config.JANDON_QUOTE_MS, maxRateAgeMs: config.JANDON_MAX_RATE_AGE_MS },
    treasury,
    hubSeparator,
    assertMoneyMayLeave,
    sign,
    now,
    randomBytes,
  })
  const payoutBook = await loadPayoutBook({ db, now })
  const payouts = createPayouts({
    log,
    book: payoutBook,
    quotes,
    transactions,
    follower: followerLater,
    vault: deployment.vault,
    treasury,
    now,
    assertMoneyMayLeave,
    paidBy: () => lock.current()?.asOf ?? now(),
    background,
  })
  const follower = createFollower({
    db,
    log,
    chain,
    deployment,
    channels,
    vaultAccounts,
    balances,
    terms,
    feeAccount,
    now,
    confirmations: config.JANDON_CONFIRMATIONS,
    consequences: [lock.consequence, refunds.consequence, payouts.consequence],
  })
  const reserves = createReserves({
    chain,
    deployment,
    channels,
    balances,
    block: follower.taken,
  })
  const claims = createClaims({
    db,
    log,
    chain,
    deployment,
    channels,
    vaultAccounts,
    balances,
    transactions,
    follower,
    feeAccount,
    policy: { amountAtRisk: config.claimAtRisk, maxAgeMs: config.JANDON_CLAIM_MAX_AGE_MS },
    mayCredit: () => lock.current() === undefined,
    now,
  })
  const deposits = createDeposits({
    db,
    log,
    chain,
    deployment,
    channels,
    baskets,
    transactions,
    follower,
    terms,
    depositTerms: config.depositTerms,
    feeAccount,
    separator: separatorOf(deployment.channels),
    now,
    background,
  })
  const sessions = createSessions({
    db,
    log,
    chain,
    chainId: identity.chainId,
    origin: surroundings.origin,
    operatorToken: config.JANDON_OPERATOR_TOKEN,
    now,
    randomBytes,
  })
  const rail = openBankRail(config, now)
  const onFault = (fault: string) => logFailure('bank', fault)
  const mayHandOver = () => lock.current() === undefined
  const desk =
    rail && createBankDesk({ db, log, book: payoutBook, rail, now, mayHandOver, onFault })
  const recovery = await openRecovery({
    db,
    log,
    chain,
    channels,
    balances,
    vaultAccounts,
    baskets,
    backend,
    separatorOf,
    hub: identity,
    receiptSigner,
    feeAccount,
    follower,
    confirmations: config.JANDON_CONFIRMATIONS,
    operator: operator.address,
    reserves,
    lock,
    payoutBook,
    desk,
    now,
    assertOpen,
    onUnlocked: resumeMoneyOut,
  })
  /** Set when somebody else's transaction was seen: then this run takes no more payments. */
  let otherHand = false
  /** After a restore, the block that must be booked before payments are taken: what was claimed meanwhile comes first. */
  let catchUpTo = 0n

  return {
    backups: createBackups({ db, now }),
    baskets,
    channels,
    claims,
    creators,
    deposits,
    live,
    payoutBook,
    payouts,
    quotes,
    recovery,
    refunds,
    reserves,
    sessions,
    tipLists: createTipLists({ db, channels, vaultAccounts }),
    info: () => hubInfo(config, { epoch, group: log.head().number, backend: backend.name }),
    creatorAmounts: (account: Address) =>
      deployment.tokens.map(({ address: token }) => {
        const { credited, paid } = vaultAccounts.get(token, account)
        const owed = -balanceOf(balances, accounts.creator(account), token)
        return { token, accepted: credited + owed, yours: credited, paid }
      }),
    exportBooks: () => exportBooks({ db, channels, payoutBook }),
    health: () => ({
      ready: gate.isOpen(),
      block: follower.cursor(),
      group: log.head().number,
      reserves: reserves.newest().verdict,
    }),
    metrics: () =>
      renderMetrics({
        jandon_block: follower.cursor(),
        jandon_group: log.head().number,
        jandon_channels: [...channels.all()].length,
        process_cpu_seconds_total: cpuSeconds(),
        process_resident_memory_bytes: process.memoryUsage.rss(),
        jandon_reserves_unequal: reserves.newest().verdict === 'unequal' ? 1 : 0,
        [`jandon_signature_backend{name="${backend.name}"}`]: 1,
      }),
    /** Catches up with the chain, goes on with what was under way, and keeps going until {@link stop}. */
    async start() {
      await follower.tick()
      await bookBankFloat()
      await reserves.check()
      if (lock.current()) catchUpTo = await chain.getBlockNumber({ cacheTime: 0 })
      openGate()
      runner.loop('chain', followChain, config.JANDON_POLL_MS)
      runner.loop('claims', settleWhenDue, config.JANDON_POLL_MS)
      runner.loop('reserves', async () => void (await reserves.check()), config.JANDON_RESERVES_MS)
      if (desk) runner.loop('bank', desk.tick, config.JANDON_POLL_MS)
      background('transactions', transactions.resume)
      await deposits.resume()
      if (!lock.current()) resumeMoneyOut()
    },
    /** Takes nothing new, waits for what was taken, and lets go of the data directory. */
    async stop() {
      gate.close('the hub is stopping')
      runner.stop()
      follower.stop()
      live.close()
      await log.close()
      await db.close()
      rail?.dispose()
    },
  }

  async function followChain() {
    try {
      await follower.tick()
      if (!gate.isOpen()) openGate()
    } catch (cause) {
      if (cause instanceof DeepReorgError) gate.close(cause.message)
      throw cause
    }
  }

  function openGate() {
    if (otherHand) return
    if (follower.cursor() >= catchUpTo) gate.open()
    else gate.close(`the hub was restored and waits until block ${catchUpTo} is final`)
  }

  function resumeMoneyOut() {
    refunds.resume()
    payouts.resume()
  }

  function onOtherHand(transaction: Hex) {
    otherHand = true
    const what = `transaction ${transaction} credited creators and was not sent from this data directory`
    gate.close(what)
    logFailure('operator key', `${what}: another process uses the key, or this is an old copy`)
  }

  async function settleWhenDue() {
    if (!claims.isDue()) return
    await claims.settle()
    await reserves.check()
  }

  /** What the operator put into the bank account before the hub's first start. */
  async function bookBankFloat() {
    const float = config.bankFloat
    if (!float || balanceOf(balances, accounts.capital, float.currency) !== 0n) return
    const legs = move({ debit: accounts.bank, credit: accounts.capital }, float)
    const id = `bank-float:${float.currency}`
    await log.commit({ entries: [{ id, at: now(), reason: 'bank float', reference: id, legs }] })
  }
}

function connect({ JANDON_RPC_URL, JANDON_POLL_MS, deployment }: Config) {
  const chain = defineChain({
    id: deployment.chainId,
    name: `chain ${deployment.chainId}`,
    nativeCurrency: { name: 'ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [JANDON_RPC_URL] } },
  })
  return createPublicClient({
    chain,
    transport: http(JANDON_RPC_URL, { batch: true }),
    pollingInterval: JANDON_POLL_MS,
    cacheTime: 0,
  })
}

function separators(chainId: number) {
  const known = new Map<Address, Hex>()
  return (address: Address): Hex => {
    const separator = known.get(address) ?? channelsDomainSeparator({ chainId, address })
    known.set(address, separator)
    return separator
  }
}

function openBankRail(config: Config, now: () => number) {
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
