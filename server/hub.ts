// A running hub: its parts put together over one data directory and one chain, and the loops that keep them going.

import type { Address } from 'viem'
import { toHex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hubDomainSeparator } from '#protocol/receipt.ts'
import { lowerCase } from '#protocol/signature.ts'
import { createBackups } from './backup/stream.ts'
import type { Undone } from './chain/booked-chain.ts'
import { createClaims } from './chain/claims.ts'
import { connect } from './chain/connect.ts'
import { isEndpointTrouble, reasonOf } from './chain/endpoints.ts'
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

/** So many blocks behind, the hub says every so often how far it is. */
const longWay = 1_000n
const progressPauseMs = 5_000

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
  const live = createLiveEvents(events, {
    isLive: (session) => sessions.isLive(session),
    onFailure: (cause) => logFailure('events', cause),
  })
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
    reversals: [refunds.reversal, payouts.reversal],
    onUndone,
    onProgress: tellProgress,
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
    baskets,
    streams,
    live,
    sessions,
    admission,
    senders,
    now: surroundings.elapsed,
    logFailure,
  })
  const webhooks = await openWebhooks(config, {
    ...surroundings,
    onStorageFailure: surroundings.onFailure,
    db,
    log,
    events,
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
    onUnlocked: resumeMoneyOut,
  })
  const tipLists = createTipLists({ db, tipIndex, channels, vaultAccounts })
  /**
   * After a restore, the block that must be booked before payments are taken: what was claimed meanwhile comes first. Not
   * known before the chain was seen.
   */
  let catchUpTo = lock.current() ? undefined : 0n
  let toldAt = now()
  let reorgsChecked = 0

  return {
    admission,
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
    info: () => hubInfo(config, { epoch, group: log.head().number, backend: backend.name }),
    async creatorAmounts(account: Address) {
      const owedIn = (token: Address) => -balanceOf(balances, accounts.creator(account), token)
      const owed = new Map(deployment.tokens.map(({ address }) => [address, owedIn(address)]))
      const claimed = await tipLists.claimedTo(account, owed)
      return [...owed].map(([token, amount]) => {
        const { credited, paid } = vaultAccounts.get(token, account)
        const onItsWay = claimed.get(token) ?? 0n
        const accepted = credited + amount
        return { token, accepted, claimed: credited + onItsWay, yours: credited, paid }
      })
    },
    exportBooks: () => exportBooks({ db, channels, payoutBook }),
    health: () => ({
      ready: gate.isOpen(),
      block: follower.cursor(),
      group: log.head().number,
      reserves: reserves.newest().verdict,
    }),
    metrics: () =>
      hubMetrics({
        follower,
        endpoints,
        log,
        channels,
        streamBook,
        sockets,
        live,
        admission,
        eventLoop,
        reserves,
        transactions,
        backend,
      }),
    /** Catches up with the chain, goes on with what was under way, and keeps going until {@link stop}. */
    async start() {
      await followChain().catch((cause: unknown) => {
        if (!isEndpointTrouble(cause)) throw cause
        logFailure('chain', `no endpoint can be followed, the hub waits: ${reasonOf(cause)}`)
      })
      await bookBankFloat(config.bankFloat, { log, balances, now })
      await reserves.check()
      runner.loop('chain', followChain, config.JANDON_POLL_MS)
      runner.loop('streams', sweepStreams, config.JANDON_POLL_MS)
      runner.loop('claims', settleWhenDue, config.JANDON_POLL_MS)
      runner.loop('reserves', async () => void (await reserves.check()), config.JANDON_RESERVES_MS)
      if (desk) runner.loop('bank', desk.tick, config.JANDON_POLL_MS)
      runner.loop('transactions', transactions.tick, config.JANDON_POLL_MS)
      background('settlements', claims.resume)
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
      eventLoop.stop()
      await webhooks.stop()
      await log.close()
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
  }

  async function followChain() {
    try {
      await follower.tick()
      openGate()
    } catch (cause) {
      if (cause instanceof DeepReorgError) gate.close(cause.message)
      throw cause
    }
    const { count } = follower.reorgs()
    if (count > reorgsChecked) await reserves.check()
    reorgsChecked = count
  }

  /** Over-charged channels get no credit until their deposits are back, because escrowCap is below what was charged. */
  function onUndone({ from, to, events: count, channels: ids }: Undone) {
    const over = channels.overcharged().filter(({ id }) => ids.includes(id))
    const what = `blocks ${to + 1n} to ${from} are not on the chain any more: ${count} events were taken back`
    const alarm = over.map(({ id, charged, balance }) => `${id} (${charged} of ${balance})`)
    const text = alarm.length === 0 ? what : `${what}; over-charged now: ${alarm.join(', ')}`
    logFailure('reorg', text)
  }

  function tellProgress({ block, target }: { block: bigint; target: bigint }) {
    if (target - block < longWay || now() - toldAt < progressPauseMs) return
    toldAt = now()
    surroundings.logProgress('chain', `block ${block} of ${target}`)
  }

  function openGate() {
    catchUpTo ??= follower.target()
    if (follower.cursor() >= catchUpTo) gate.open()
    else gate.wait(`the hub was restored and waits until block ${catchUpTo} is final`)
  }

  /** Streams out of a backup stay open until receipts of their true ends could be presented. */
  async function sweepStreams() {
    if (!lock.current()) await streams.sweep()
  }

  function resumeMoneyOut() {
    refunds.resume()
    payouts.resume()
  }

  function onOtherHand(what: string) {
    gate.close(what)
    logFailure('operator key', what)
  }

  async function settleWhenDue() {
    if (lock.current()?.reason !== 'other-hand') await claims.settleDue()
  }
}
