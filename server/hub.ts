// A hub: its parts put together over one data directory and one chain.

import { toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hubDomainSeparator } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import { createAudits } from './audits/audits.ts'
import { createBackups } from './backup/stream.ts'
import { createClaims } from './chain/claims.ts'
import { connect } from './chain/connect.ts'
import { createProgressReport, describeUndone } from './chain/follow-report.ts'
import { createFollower } from './chain/follower.ts'
import { createReserves } from './chain/reserves.ts'
import { createTransactions } from './chain/transactions.ts'
import { tipEvent } from './channels/basket-change.ts'
import { claimProof } from './channels/claim-proof.ts'
import { createDeposits } from './channels/deposits.ts'
import { openCredit } from './channels/open.ts'
import { loadRefunds } from './channels/refunds.ts'
import { loadChannels } from './channels/registry.ts'
import { createDigestSigner } from './channels/signature-backend.ts'
import { createTipLists } from './channels/tip-list.ts'
import type { Config } from './config.ts'
import { createCreatorAmounts } from './creators/amounts.ts'
import { loadCreators } from './creators/creators.ts'
import { loadVaultAccounts } from './creators/vault-accounts.ts'
import { watchEventLoop } from './event-loop.ts'
import { createEventLog } from './events/event-log.ts'
import { createLiveEvents } from './events/live.ts'
import { openWebhooks } from './events/webhooks/open.ts'
import { exportBooks } from './export.ts'
import { createGate } from './gate.ts'
import { createAdmission } from './http/admission.ts'
import { createSenders } from './http/sender.ts'
import { createSessions } from './http/sessions.ts'
import { channelTerms, hubInfo } from './hub-info.ts'

import { formerSignersOf, loadHandOvers } from './keys/hand-overs.ts'
import { createLifeCycle } from './life-cycle.ts'
import { hubMetrics } from './metrics.ts'
import { bookBankFloat } from './payouts/bank-float.ts'
import { openPayouts } from './payouts/open.ts'
import { createCatchUp } from './recovery/catch-up.ts'
import { loadMoneyLock } from './recovery/lock.ts'
import { openRecovery } from './recovery/recovery.ts'
import { createRunner } from './runner.ts'
import { createSockets } from './socket/sockets.ts'
import { openBooks } from './store/books.ts'
import type { Published } from './store/group-log.ts'
import { createGroupLog } from './store/group-log.ts'

import { openTowerFeed } from './tower/open.ts'

/** What comes from outside: time, randomness, the hub's own address, and where reports of trouble go. */
export type Surroundings = {
  now: () => number
  /** Milliseconds that no change of the clock moves, from any beginning. */
  elapsed: () => number
  randomBytes: (count: number) => Uint8Array
  origin: () => URL
  logFailure: (what: string, cause: unknown) => void
  /** The disk failed, or a thread: memory is ahead of the disk, or requests hang, so the process has to end. */
  onFailure: (cause: unknown) => void
  /** Hears how long work gets on. */
  logProgress: (what: string, progress: string) => void
}

export type Hub = Awaited<ReturnType<typeof openHub>>

/** Opens the data directory and puts the parts together. Nothing runs before {@link Hub.start}. */
export async function openHub(config: Config, surroundings: Surroundings) {
  const { now, randomBytes, logFailure } = surroundings
  const { deployment } = config
  const identity = { chainId: deployment.chainId, hubAccount: deployment.hubAccount }
  const feeAccount = config.JANDON_FEE_ACCOUNT
  const { chain, endpoints } = connect(config, {
    now,
    onAside: ({ name }, reason) => logFailure('chain', `${name} is put aside: ${reason}`),
  })
  const operator = privateKeyToAccount(config.JANDON_OPERATOR_KEY)
  const receiptSigner = lowerCase(privateKeyToAccount(config.JANDON_RECEIPT_KEY).address)
  const books = await openBooks(config.JANDON_DATA_DIR, {
    ...identity,
    channels: deployment.channels,
    operator: lowerCase(operator.address),
    receiptSigner,
  })
  const { db, lateRows, balances, tipIndex } = books
  const handOvers = await loadHandOvers(db)
  const events = createEventLog({
    db,
    tipEvent: (tip) => tipEvent(tip, channels.get(tip.leaf.channelId).config.payerAuthorizer),
  })
  const live = createLiveEvents(events, {
    isLive: (session) => sessions.isLive(session),
    onFailure: (cause) => logFailure('events', cause),
  })
  const epoch = toHex(randomBytes(32))
  const sign = createDigestSigner(config.JANDON_RECEIPT_KEY)
  const hubSeparator = hubDomainSeparator(identity)
  const log = createGroupLog({
    ...books,
    epoch,
    separator: hubSeparator,
    sign,
    now,
    randomBytes,
    maxWaiting: config.JANDON_MAX_WAITING,
    onCommitted: tell,
    onFailure: surroundings.onFailure,
  })
  const gate = createGate()
  const runner = createRunner({ logFailure, pauseMs: config.JANDON_POLL_MS })
  const channels = await loadChannels(db, lateRows)
  const creators = await loadCreators({ db, log, chain, hub: identity })
  const vaultAccounts = await loadVaultAccounts(db)
  const transactions = createTransactions({
    db,
    log,
    chain,
    account: operator,
    chainId: identity.chainId,
    fees: config.fees,
    confirmations: config.JANDON_CONFIRMATIONS,
    otherHand: {
      isSuspected: () => lock.current()?.reason === 'other-hand',
      isExpected: () => lock.current() !== undefined,
      async onForeignNonce(nonce) {
        await log.commit({ rows: lock.suspect(nonce) })
      },
    },
    now,
  })
  const lock = loadMoneyLock({ db, now, isOurs: transactions.isOurs, onOtherHand: closeAsOldCopy })
  const assertMoneyMayLeave = lock.assertOff
  const assertOpen = () => {
    gate.assertOpen()
    reserves.assertEqual()
  }
  const { backend, checks, separatorOf, streamBook, baskets, streams } = await openCredit(config, {
    db,
    log,
    lateRows,
    balances,
    channels,
    creators,
    vaultAccounts,
    now,
    assertOpen,
    onFailure: surroundings.onFailure,
    tower: config.tower && {
      told: (committed) => tower?.told(committed),
      assertTakes: (channel, added) => tower?.assertTakes(channel, added),
    },
  })
  const terms = channelTerms(config)
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
  const { quotes, payoutBook, payouts, desk, closeRail } = await openPayouts(config, {
    db,
    log,
    vaultAccounts,
    transactions,
    follower: followerLater,
    lock,
    hubSeparator,
    sign,
    now,
    randomBytes,
    background,
    onFault: (fault) => logFailure('bank', fault),
  })
  const follower = createFollower({
    db,
    log,
    endpoints,
    deployment,
    channels,
    vaultAccounts,
    balances,
    terms,
    feeAccount,
    now,
    confirmations: config.JANDON_CONFIRMATIONS,
    depositDepths: config.depositDepths,
    reorgLimit: config.JANDON_REORG_LIMIT,
    isHeldFor: refunds.isHeldFor,
    consequences: [lock.consequence, refunds.consequence, payouts.consequence],
    reversals: [
      transactions.reversal,
      (event, again) => claims.reversal(event, again),
      refunds.reversal,
      payouts.reversal,
    ],
    onUndone: (undone) => logFailure('reorg', describeUndone(undone, channels)),
    onProgress: createProgressReport(surroundings),
  })
  const reserves = createReserves({
    chain,
    deployment,
    channels,
    balances,
    block: follower.taken,
    hashOf: follower.hashOf,
  })
  const claims = createClaims({
    db,
    log,
    chain,
    deployment,
    channels,
    vaultAccounts,
    balances,
    proofOf: (channel) => claimProof(channel, { backend, separatorOf }),
    transactions,
    follower,
    feeAccount,
    policy: config.settlementPolicy,
    limits: {
      gasPerTransaction: BigInt(config.JANDON_CLAIM_GAS),
      budgetPerGas: config.fees.budgetPerGas,
    },
    mayCredit: () => lock.current() === undefined,
    now,
    background,
    onSettled: () => background('reserves', async () => void (await reserves.check())),
    onSetAside: ({ channelId, reason }) => logFailure(`claim on channel ${channelId}`, reason),
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
  const eventLoop = watchEventLoop()
  const admission = createAdmission({ now: surroundings.elapsed })
  const senders = createSenders(config.JANDON_PROXIES)
  const sockets = createSockets({
    ...{ baskets, streams, live, sessions, admission, senders, logFailure },
    now: surroundings.elapsed,
  })
  const webhooks = await openWebhooks(config, {
    ...surroundings,
    onStorageFailure: surroundings.onFailure,
    db,
    log,
    events,
  })
  const tower = openTowerFeed(config, {
    log,
    channels,
    streams: streamBook,
    backend,
    separatorOf,
    mayCompare: () => catchUp.isBooked(),
    isRestored: () => lock.current()?.reason === 'restored',
    onAhead: (channelId) =>
      closeAsOldCopy(
        `the watchtower knows more of channel ${channelId}: another process uses the key, or this is an old copy`,
      ),
    logFailure,
    randomBytes,
    now,
  })
  const catchUp = createCatchUp({
    lock,
    follower,
    isCompared: () => tower?.isCompared() ?? true,
  })
  const recovery = await openRecovery({
    db,
    log,
    chain,
    channels,
    balances,
    vaultAccounts,
    baskets,
    streamBook,
    backend,
    separatorOf,
    hub: identity,
    receiptSigner,
    formerSigners: formerSignersOf(handOvers),
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
    waitsForTower: catchUp.waitsForTower,
    onUnlocked: resumeMoneyOut,
  })
  const audits = createAudits({
    ...{ db, log, balances, creators, vaultAccounts, feeAccount, reserves },
    ...{ hubSeparator, sign, now, randomBytes },
    tokens: deployment.tokens.map(({ address }) => address),
    onProgress: (progress) => surroundings.logProgress('audit', progress),
  })
  const tipLists = createTipLists({ db, tipIndex, channels, vaultAccounts })

  return {
    admission,
    audits,
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
    senders,
    sessions,
    sockets,
    streams,
    webhooks,
    tipLists,
    info: () =>
      hubInfo(config, { epoch, group: log.head().number, backend: backend.name, handOvers }),
    creatorAmounts: createCreatorAmounts({ deployment, balances, tipLists, vaultAccounts }),
    exportBooks: () => exportBooks({ db, channels, payoutBook }),
    health: () => ({
      ready: gate.isOpen(),
      block: follower.cursor(),
      group: log.head().number,
      reserves: reserves.newest().verdict,
    }),
    metrics: () =>
      hubMetrics({
        ...{ follower, endpoints, log, channels, streamBook, sockets, live, admission, eventLoop },
        ...{ reserves, transactions, backend, tower },
      }),
    ...createLifeCycle(config, {
      ...{
        runner,
        gate,
        follower,
        catchUp,
        lock,
        reserves,
        transactions,
        claims,
        deposits,
        streams,
      },
      ...{ desk, tower, webhooks, live, eventLoop, log, checks, db, closeRail, resumeMoneyOut },
      bookFloat: () => bookBankFloat(config.bankFloat, { log, balances, now }),
      logFailure,
    }),
  }

  /** What a group has to tell goes to listeners and webhooks; its events are put together only when there are any. */
  function tell(published: Published) {
    const heard = live.isHeard() || webhooks.isHeard()
    const told = heard ? events.of(published) : []
    live.publish(told)
    webhooks.publish({ group: published.group, events: told })
    tower?.committed(published.baskets)
  }

  function resumeMoneyOut() {
    refunds.resume()
    payouts.resume()
  }

  function closeAsOldCopy(what: string) {
    gate.close(what)
    logFailure('operator key', what)
  }
}
