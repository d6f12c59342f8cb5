// Gasless deposits: the hub relays the payer's ERC-3009 authorization, waits for policy depth, then accepts the bundled
// basket, which pays for the gas (R20). Every step is on disk before the next; a restart goes on where it stopped.

import type { Address, Hex, PublicClient } from 'viem'
import { encodeFunctionData, parseAbi } from 'viem'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import { channelId } from '#protocol/channel.ts'
import { collectorData, depositNonce } from '#protocol/deposit.ts'
import { errorTable, HubError } from '#protocol/errors.ts'
import type { DepositRequest, DepositView } from '#protocol/messages/tips.ts'
import { packBasket } from '#protocol/packed-tips.ts'
import { basketId, tipsHash, tipsTotal, tipTo } from '#protocol/tip.ts'
import type { Deployment } from '../chain/deployment.ts'
import type { Follower } from '../chain/follower.ts'
import type { Transactions } from '../chain/transactions.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { table } from '../store/table.ts'
import type { Baskets } from './baskets.ts'
import type { Channel, ChannelTerms } from './channel.ts'
import { configRefusal, newChannel } from './channel.ts'
import type { ChannelRegistry } from './registry.ts'

/** What the hub asks of a deposit in one token, in base units. */
export type DepositTerms = { token: Address; minimumDeposit: bigint; relayFee: bigint }

type StoredDeposit = {
  depositId: Hex
  channelId: Hex
  request: DepositRequest
  state: DepositView['state']
  transaction: Hex | null
  failure: string | null
}

const depositRows = table<StoredDeposit>('deposit')

const authorizationAbi = parseAbi([
  'function authorizationState(address authorizer, bytes32 nonce) view returns (bool)',
  'event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce)',
])

export type Deposits = {
  /** Takes a deposit on, or answers how far the same one is. */
  open(request: DepositRequest): Promise<DepositView>
  /** @throws HubError `unknown_deposit` */
  find(depositId: Hex): Promise<DepositView>
  /** Goes on with every deposit that was under way when the hub stopped. */
  resume(): Promise<void>
}

export type DepositDeps = {
  db: Database
  log: GroupLog
  chain: PublicClient
  deployment: Deployment
  channels: ChannelRegistry
  baskets: Baskets
  transactions: Transactions
  follower: Follower
  terms: ChannelTerms
  depositTerms: readonly DepositTerms[]
  feeAccount: Address
  separator: Hex
  now: () => number
  /** Runs work that outlives the request; failures are logged under the name. */
  background: (name: string, work: () => Promise<void>) => void
}

export function createDeposits(deps: DepositDeps): Deposits {
  const { db, log, baskets, channels, background } = deps
  const starting = new Map<Hex, Promise<StoredDeposit>>()
  /** Baskets that pay for a deposit under way, with their totals: each pays for one, and its money is set aside (R20). */
  const paying = new Map<Hex, bigint>()

  return {
    async open(request) {
      const id = channelId(request.config, deps.separator)
      const depositId = depositNonce(id, request.authorization.salt)
      const known = depositRows.get(db, depositId) ?? (await starting.get(depositId))
      if (known) {
        assertSame(known, request)
        return view(deps, known)
      }
      const started = start(request, { channelId: id, depositId })
      starting.set(depositId, started)
      const deposit = await started.finally(() => starting.delete(depositId))
      background(`deposit ${depositId}`, () => finishPaid(deposit))
      return view(deps, deposit)
    },
    async find(depositId) {
      const deposit = depositRows.get(db, depositId)
      if (!deposit) {
        throw new HubError('unknown_deposit', `deposit ${depositId} is not known here`, {
          values: { depositId },
        })
      }
      return view(deps, deposit)
    },
    async resume() {
      for (const { value } of await depositRows.list(db)) {
        if (value.state === 'done' || value.state === 'failed') continue
        setAside(value)
        background(`deposit ${value.depositId}`, () => finishPaid(value))
      }
    },
  }

  async function start(
    request: DepositRequest,
    ids: { channelId: Hex; depositId: Hex },
  ): Promise<StoredDeposit> {
    const deposit: StoredDeposit = {
      ...ids,
      request,
      state: 'relaying',
      transaction: null,
      failure: null,
    }
    const basket = basketOf(deposit)
    assertTerms(deps, request)
    assertBasket(deps, request, {
      channelId: ids.channelId,
      spent: paying.has(basket) || baskets.isKnown(basket),
    })
    log.assertRoom()
    setAside(deposit)
    try {
      return await relay(deps, deposit)
    } catch (cause) {
      setFree(deposit)
      throw cause
    }
  }

  /** Brings a deposit to its end; may be called again when it failed on the way. */
  async function finishPaid(deposit: StoredDeposit) {
    setAside(deposit)
    await advance(deps, deposit, () => setFree(deposit))
    setFree(deposit)
  }

  function setAside(deposit: StoredDeposit) {
    const basket = basketOf(deposit)
    if (paying.has(basket) || baskets.isKnown(basket)) return
    const total = tipsTotal(deposit.request.basket.tips)
    paying.set(basket, total)
    channels.reserve(deposit.channelId, total)
  }

  function setFree(deposit: StoredDeposit) {
    const basket = basketOf(deposit)
    const total = paying.get(basket)
    if (total === undefined) return
    paying.delete(basket)
    channels.release(deposit.channelId, total)
  }
}

/** Sends the deposit; the transaction and the deposit's record are stored in one batch before it leaves. */
async function relay(deps: DepositDeps, deposit: StoredDeposit): Promise<StoredDeposit> {
  const { deployment, transactions } = deps
  const { config, amount, authorization } = deposit.request
  const data = encodeFunctionData({
    abi: paymentChannelsAbi,
    functionName: 'deposit',
    args: [config, amount, deployment.erc3009Collector, collectorData(authorization)],
  })
  const call = { to: deployment.channels, data, purpose: `relay deposit ${deposit.depositId}` }
  try {
    const transaction = await transactions.send(call, (hash) => [
      depositRows.put(deposit.depositId, { ...deposit, transaction: hash }),
    ])
    return { ...deposit, transaction }
  } catch (cause) {
    if (!(cause instanceof HubError) || cause.code !== 'chain_refused') throw cause
    if (!(await isRelayed(deps, deposit))) throw depositRefusal(cause)
    await deps.log.commit({ rows: [depositRows.put(deposit.depositId, deposit)] })
    return deposit
  }
}

function depositRefusal(cause: HubError): HubError {
  const { values } = cause
  return new HubError('deposit_refused', `the deposit would fail: ${values['reason']}`, {
    cause,
    values,
  })
}

async function advance(
  deps: DepositDeps,
  deposit: StoredDeposit,
  setFree: () => void,
): Promise<void> {
  const { chain, transactions, follower } = deps
  let block = await chain.getBlockNumber()
  let { transaction } = deposit
  if (transaction) {
    const receipt = await transactions.mined(transaction)
    block = receipt.blockNumber
    transaction = receipt.hash
    if (receipt.status !== 'success' && !(await isRelayed(deps, deposit))) {
      return finish(deps, deposit, { state: 'failed', failure: 'the chain refused the deposit' })
    }
  }
  const confirming: StoredDeposit = { ...deposit, transaction, state: 'confirming' }
  await deps.log.commit({ rows: [depositRows.put(deposit.depositId, confirming)] })
  await follower.counted(deposit.channelId, block)
  await acceptBasket(deps, confirming, setFree)
}

/** What was set aside is freed in the tick in which the basket takes it. A refusal that passes is tried again. */
async function acceptBasket(
  deps: DepositDeps,
  deposit: StoredDeposit,
  setFree: () => void,
): Promise<void> {
  const { basket } = deposit.request
  try {
    setFree()
    await deps.baskets.accept({ channelId: deposit.channelId, ...packBasket(basket) })
    await finish(deps, deposit, { state: 'done', failure: null })
  } catch (cause) {
    if (!(cause instanceof HubError) || isPassing(cause)) throw cause
    await finish(deps, deposit, {
      state: 'failed',
      failure: `deposited, but the basket was refused: ${cause.message}`,
    })
  }
}

function isPassing({ code }: HubError): boolean {
  const [status] = errorTable[code]
  return status === 429 || status === 503
}

async function finish(
  { log }: DepositDeps,
  deposit: StoredDeposit,
  end: Pick<StoredDeposit, 'state' | 'failure'>,
): Promise<void> {
  await log.commit({ rows: [depositRows.put(deposit.depositId, { ...deposit, ...end })] })
}

function assertTerms(
  { terms, depositTerms, now }: DepositDeps,
  { config, amount, authorization }: DepositRequest,
) {
  const refusal = configRefusal(config, terms)
  if (refusal)
    throw new HubError(refusal, 'no credit is given on such a channel', { values: { ...config } })
  const { minimumDeposit } = termsOf(depositTerms, config.token)
  if (amount < minimumDeposit) {
    const values = { amount, minimum: minimumDeposit }
    throw new HubError('deposit_too_small', `${amount} is below the minimum of ${minimumDeposit}`, {
      values,
    })
  }
  const seconds = BigInt(Math.floor(now() / 1_000))
  const { validAfter, validBefore } = authorization
  if (seconds <= validAfter || seconds >= validBefore) {
    const values = { validAfter, validBefore, now: seconds }
    throw new HubError(
      'authorization_expired',
      `it is ${seconds}, the authorization holds from ${validAfter} to ${validBefore}`,
      { values },
    )
  }
}

/** The bundled basket must be acceptable as soon as the deposit is there, and hold the relay fee. */
function assertBasket(
  deps: DepositDeps,
  request: DepositRequest,
  { channelId: id, spent }: { channelId: Hex; spent: boolean },
) {
  const { channels, baskets, deployment, terms } = deps
  const { config, amount, basket } = request
  assertRelayFee(deps, request, { spent })
  const channel: Channel =
    channels.find(id) ?? newChannel(id, { config, contract: deployment.channels, terms })
  baskets.assertAcceptable(
    { ...channel, balance: channel.balance + amount },
    { channelId: id, ...packBasket(basket) },
  )
}

function assertRelayFee(
  { feeAccount, depositTerms }: DepositDeps,
  { basket, config }: DepositRequest,
  { spent }: { spent: boolean },
) {
  const { relayFee } = termsOf(depositTerms, config.token)
  const toFees = basket.tips.filter(({ to }) => to === tipTo(feeAccount))
  const paid = spent ? 0n : toFees.reduce((sum, { amount }) => sum + amount, 0n)
  if (paid < relayFee) {
    const values = { paid, needed: relayFee }
    throw new HubError(
      'relay_fee_missing',
      `the basket pays ${paid} to the fee account, the relay fee is ${relayFee}`,
      { values },
    )
  }
}

function termsOf(depositTerms: readonly DepositTerms[], token: Address): DepositTerms {
  const found = depositTerms.find((terms) => terms.token === token)
  if (!found) throw new Error(`token ${token} is listed without deposit terms`)
  return found
}

/**
 * Whether the authorization was used: by us or by somebody else, the tokens are in the channel. A token says of a cancelled
 * one too that it is gone, so what counts is the event of its use.
 */
async function isRelayed(
  { chain, deployment }: DepositDeps,
  { depositId, request }: StoredDeposit,
): Promise<boolean> {
  const { token: address, payer } = request.config
  const [abi, event] = [authorizationAbi, authorizationAbi[1]]
  const args = [payer, depositId] as const
  const gone = await chain.readContract({ address, abi, functionName: 'authorizationState', args })
  if (!gone) return false
  const uses = await chain.getLogs({
    address,
    event,
    args: { authorizer: payer, nonce: depositId },
    fromBlock: BigInt(deployment.startBlock),
    toBlock: 'latest',
  })
  return uses.length > 0
}

function assertSame(known: StoredDeposit, request: DepositRequest) {
  const field = differingField(known.request, request)
  if (field === undefined) return
  throw new HubError(
    'deposit_conflict',
    `deposit ${known.depositId} is known with another ${field}`,
    { values: { field } },
  )
}

function differingField(known: DepositRequest, { amount, authorization, basket }: DepositRequest) {
  if (known.amount !== amount) return 'amount'
  if (tipsHash(known.basket.tips) !== tipsHash(basket.tips)) return 'basket.tips'
  const terms = ['validAfter', 'validBefore', 'signature'] as const
  const term = terms.find((name) => known.authorization[name] !== authorization[name])
  return term && `authorization.${term}`
}

function basketOf({ channelId: id, request }: StoredDeposit): Hex {
  return basketId(id, tipsHash(request.basket.tips))
}

async function view({ baskets }: DepositDeps, deposit: StoredDeposit): Promise<DepositView> {
  const { depositId, channelId: id, state, transaction, failure, request } = deposit
  const done = state === 'done' ? baskets.find(basketOf(deposit)) : undefined
  return {
    depositId,
    channelId: id,
    amount: request.amount,
    state,
    transaction,
    failure,
    receipt: done?.receipt ?? null,
  }
}
