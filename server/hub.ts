// A running hub: its parts put together over one data directory and one chain, and the loops that keep them going.

import type { Address, Hex } from 'viem'
import { toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hubDomainSeparator } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import { createBackups } from './backup/stream.ts'
import { createClaims } from './chain/claims.ts'
import { connect } from './chain/connect.ts'
import { createFollower, DeepReorgError } from './chain/follower.ts'
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
import { loadCreators } from './creators/creators.ts'
import { loadVaultAccounts } from './creators/vault-accounts.ts'
import { createEventLog } from './events/event-log.ts'
import { createLiveEvents } from './events/live.ts'
import { openWebhooks } from './events/webhooks/open.ts'
import { exportBooks } from './export.ts'
import { createGate } from './gate.ts'
import { createPenalties } from './http/penalties.ts'
import { createSessions } from './http/sessions.ts'
import { channelTerms, hubInfo } from './hub-info.ts'
import { accounts } from './ledger/accounts.ts'
import { balanceOf } from './ledger/entry.ts'
import { hubMetrics } from './metrics.ts'
import { bookBankFloat } from './payouts/bank-float.ts'
import { openPayouts } from './payouts/open.ts'
import { loadMoneyLock } from './recovery/lock.ts'
import { openRecovery } from './recovery/recovery.ts'
import { createRunner } from './runner.ts'
import { createSockets } from './socket/sockets.ts'
import { openDatabase } from './store/database.ts'
import type { Published } from './store/group-log.ts'
import { createGroupLog } from './store/group-log.ts'
import { createLateRows } from './store/late-rows.ts'
import { lateGroups, loadBalances, nextGroup, walkGroups } from './store/start-up.ts'
import { loadTipIndex } from './store/tip-index.ts'
import { openTowerFeed } from './tower/open.ts'

/** What comes from outside: time, randomness, the hub's own address, and where reports of trouble go. */
export type Surroundings = {
  now: () => number
  randomBytes: (count: number) => Uint8Array
  origin: () => URL
  logFailure: (what: string, cause: unknown) => void
  /** The disk failed, or a thread: memory is ahead of the disk, or requests hang, so the process has to end. */
  onFailure: (cause: unknown) => void
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
  const last = await walkGroups(db)
  const lateRows = createLateRows(lateGroups(db).from)
  const balances = await loadBalances(db, lateRows)
  const tipIndex = await loadTipIndex(db, lateRows)
  const events = createEventLog({
    db,
    tipEvent: (tip) => tipEvent(tip, channels.get(tip.leaf.channelId).config.payerAuthorizer),
  })
  const live = createLiveEvents(events)
  const epoch = toHex(randomBytes(32))
  const sign = createDigestSigner(config.JANDON_RECEIPT_KEY)
  const hubSeparator = hubDomainSeparator(identity)
  const log = createGroupLog({
    db,
    balances,
    lateRows,
    tipIndex,
    last,
    first: await nextGroup(db),
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
  })
  const lock = loadMoneyLock({ db, now, isOurs: transactions.isOurs, onOtherHand })
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
    proofOf: (channel) => claimProof(channel, { backend, separatorOf }),
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
  const penalties = createPenalties(now)
  const sockets = createSockets({ baskets, streams, live, sessions, penalties, now, logFailure })
  const webhooks = await openWebhooks(config, {
    ...surroundings,
    onStorageFailure: surroundings.onFailure,
    db,
    log,
    events,
  })
  /** After a restore, the block that must be booked before payments are taken: what was claimed meanwhile comes first. */
  let catchUpTo = 0n
  const tower = openTowerFeed(config, {
    log,
    channels,
    streams: streamBook,
    backend,
    separatorOf,
    mayCompare: () => follower.cursor() >= catchUpTo,
    isRestored,
    onAhead: (channelId) => closeAsOldCopy(`the watchtower knows more of channel ${channelId}`),
    logFailure,
    randomBytes,
    now,
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
    waitsForTower,
    onUnlocked: resumeMoneyOut,
  })

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
    penalties,
    quotes,
    recovery,
    refunds,
    reserves,
    sessions,
    sockets,
    streams,
    webhooks,
    tipLists: createTipLists({ db, tipIndex, channels, vaultAccounts }),
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
      hubMetrics({ follower, log, channels, streamBook, sockets, reserves, backend, tower }),
    /** Catches up with the chain, goes on with what was under way, and keeps going until {@link stop}. */
    async start() {
      await follower.tick()
      await bookBankFloat(config.bankFloat, { log, balances, now })
      await reserves.check()
      if (lock.current()) catchUpTo = await chain.getBlockNumber({ cacheTime: 0 })
      openGate()
      runner.loop('chain', followChain, config.JANDON_POLL_MS)
      runner.loop('streams', sweepStreams, config.JANDON_POLL_MS)
      runner.loop('claims', settleWhenDue, config.JANDON_POLL_MS)
      runner.loop('reserves', async () => void (await reserves.check()), config.JANDON_RESERVES_MS)
      if (desk) runner.loop('bank', desk.tick, config.JANDON_POLL_MS)
      if (tower) runner.loop('tower', tower.feed, config.JANDON_TOWER_FEED_MS)
      background('transactions', transactions.resume)
      await deposits.resume()
      if (!lock.current()) resumeMoneyOut()
      webhooks.start()
    },
    /** Takes nothing new, waits for what was taken, and lets go of the data directory. */
    async stop() {
      gate.close('the hub is stopping')
      runner.stop()
      follower.stop()
      transactions.stop()
      live.close()
      await webhooks.stop()
      await log.close()
      await tower?.feed().catch((cause: unknown) => logFailure('tower', cause))
      await checks.stop()
      await db.close()
      closeRail()
    },
  }

  /** What a group has to tell goes to listeners and webhooks; its events are put together only when there are any. */
  function tell(published: Published) {
    const heard = live.isHeard() || webhooks.isHeard()
    const told = heard ? events.of(published) : []
    live.publish(told)
    webhooks.publish({ group: published.group, events: told })
    tower?.committed(published.tips)
  }

  async function followChain() {
    try {
      await follower.tick()
      openGate()
    } catch (cause) {
      if (cause instanceof DeepReorgError) gate.close(cause.message)
      throw cause
    }
  }

  function openGate() {
    if (follower.cursor() < catchUpTo)
      gate.wait(`the hub was restored and waits until block ${catchUpTo} is final`)
    else if (waitsForTower()) gate.wait('the hub was restored and waits for its watchtower')
    else gate.open()
  }

  function isRestored() {
    return lock.current()?.reason === 'restored'
  }

  /** A tip that is taken before would be mistaken for one that the tower saw. */
  function waitsForTower() {
    return tower !== undefined && isRestored() && !tower.isCompared()
  }

  /** Streams out of a backup stay open until receipts of their true ends could be presented. */
  async function sweepStreams() {
    if (!lock.current()) await streams.sweep()
  }

  function resumeMoneyOut() {
    refunds.resume()
    payouts.resume()
  }

  function onOtherHand(transaction: Hex) {
    closeAsOldCopy(
      `transaction ${transaction} credited creators and was not sent from this data directory`,
    )
  }

  function closeAsOldCopy(what: string) {
    gate.close(what)
    logFailure('operator key', `${what}: another process uses the key, or this is an old copy`)
  }

  async function settleWhenDue() {
    if (!claims.isDue()) return
    await claims.settle()
    await reserves.check()
  }
}
