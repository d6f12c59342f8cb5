// Sending transactions so that a crash at any point leaves neither a hole in the nonces nor a second effect (R12).

import type { Address, Hex, PublicClient, TransactionReceipt } from 'viem'
import {
  BaseError,
  ContractFunctionRevertedError,
  decodeErrorResult,
  keccak256,
  TransactionReceiptNotFoundError,
} from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { creatorVaultAbi, hubAccountAbi, paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import { HubError } from '#protocol/errors.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database, Row } from '../store/table.ts'
import { sortable, table } from '../store/table.ts'

/** A call to send. `purpose` names the cause, so that the log and the store say why a transaction exists. */
export type Call = { to: Address; data: Hex; purpose: string }

type Signed = Call & { nonce: number; raw: Hex; hash: Hex; state: 'signed' | 'mined' }

const sentRows = table<Signed>('transaction')
/** Nonces by hash. */
const sentByHash = table<number>('transaction-hash')

export type Transactions = {
  /** The key's address. */
  sender: Address
  /**
   * Simulates, signs, stores and broadcasts. `rowsWith` adds rows to the batch that stores the signed bytes, so that what
   * asked for the transaction knows its hash as soon as it can exist.
   *
   * @throws HubError `chain_refused` when the simulation reverts; nothing was stored then. `chain_unavailable` likewise.
   */
  send(call: Call, rowsWith?: (hash: Hex) => readonly Row[]): Promise<Hex>
  /**
   * Waits until a transaction is mined, and sends it again from time to time, because its broadcast may have failed or a
   * node may have forgotten it.
   */
  mined(hash: Hex): Promise<TransactionReceipt>
  /** Whether a transaction was sent from this data directory. */
  isOurs(hash: Hex): boolean
  /** Sends again, byte for byte, whatever was stored but not seen mined. */
  resume(): Promise<void>
  /** Ends every wait; what is not mined yet goes on after the next start. */
  stop(): void
}

const errorAbi = [
  ...hubAccountAbi,
  ...paymentChannelsAbi,
  ...creatorVaultAbi,
  ...testTokenAbi,
].filter((item) => item.type === 'error')

export function createTransactions({
  db,
  log,
  chain,
  account,
  chainId,
  patienceMs = 30_000,
}: {
  db: Database
  log: GroupLog
  chain: PublicClient
  account: PrivateKeyAccount
  chainId: number
  /** How long a transaction may take before it is sent again. */
  patienceMs?: number
}): Transactions {
  let line: Promise<unknown> = Promise.resolve()
  const stopping = new AbortController()

  return {
    sender: account.address,
    send(call, rowsWith = () => []) {
      const sent = line.then(() => sendNow(call, rowsWith))
      line = sent.catch(() => undefined)
      return sent
    },
    async mined(hash) {
      const stored = (await sentRows.list(db)).find(({ value }) => value.hash === hash)
      const receipt = await waitFor(hash, stored?.value.raw)
      if (stored)
        await log.commit({ rows: [sentRows.put(stored.key, { ...stored.value, state: 'mined' })] })
      return receipt
    },
    isOurs: (hash) => sentByHash.get(db, hash) !== undefined,
    async resume() {
      for (const { value } of await sentRows.list(db)) {
        if (value.state === 'signed' && !(await isMined(value.hash))) await broadcast(value.raw)
      }
    },
    stop: () => stopping.abort(new Error('the hub is stopping')),
  }

  async function sendNow(call: Call, rowsWith: (hash: Hex) => readonly Row[]): Promise<Hex> {
    const prepared = await prepare(call)
    const raw = await account.signTransaction(prepared)
    const hash = keccak256(raw)
    const row = sentRows.put(sortable(prepared.nonce), {
      ...call,
      nonce: prepared.nonce,
      raw,
      hash,
      state: 'signed',
    })
    const byHash = sentByHash.put(hash, prepared.nonce)
    await log.commit({ rows: [row, byHash, ...rowsWith(hash)] })
    await broadcast(raw)
    return hash
  }

  async function prepare({ to, data }: Call) {
    try {
      const [gas, fees, mined, newest] = await Promise.all([
        chain.estimateGas({ account, to, data }),
        chain.estimateFeesPerGas(),
        chain.getTransactionCount({ address: account.address, blockTag: 'pending' }),
        sentRows.list(db, { limit: 1, reverse: true }),
      ])
      const nonce = Math.max(mined, (newest[0]?.value.nonce ?? -1) + 1)
      const { maxFeePerGas, maxPriorityFeePerGas } = fees
      const withMargin = gas + gas / 5n
      return {
        to,
        data,
        gas: withMargin,
        nonce,
        chainId,
        maxFeePerGas,
        maxPriorityFeePerGas,
        type: 'eip1559' as const,
      }
    } catch (cause) {
      throw asRefusal(cause)
    }
  }

  /** A broadcast that fails is not an error: the bytes are stored, and whoever waits for them sends them again. */
  async function broadcast(raw: Hex) {
    try {
      await chain.sendRawTransaction({ serializedTransaction: raw })
    } catch (cause) {
      if (!(cause instanceof BaseError)) throw cause
    }
  }

  async function waitFor(hash: Hex, raw: Hex | undefined) {
    for (;;) {
      const receipt = await waitAWhile(hash)
      if (receipt) return receipt
      if (raw) await broadcast(raw)
    }
  }

  /** The receipt, or `undefined` when the transaction takes too long. */
  async function waitAWhile(hash: Hex): Promise<TransactionReceipt | undefined> {
    const patience = AbortSignal.timeout(patienceMs)
    const signal = AbortSignal.any([patience, stopping.signal])
    try {
      return await chain.waitForTransactionReceipt({ hash, signal, timeout: 0 })
    } catch (cause) {
      if (patience.aborted && !stopping.signal.aborted) return undefined
      throw cause
    }
  }

  async function isMined(hash: Hex) {
    try {
      await chain.getTransactionReceipt({ hash })
      return true
    } catch (cause) {
      if (cause instanceof TransactionReceiptNotFoundError) return false
      throw cause
    }
  }
}

/** A failed chain call as a refusal: the chain said no, with its reason, or it did not answer. */
export function asRefusal(cause: unknown): unknown {
  if (!(cause instanceof BaseError)) return cause
  const data = revertData(cause)
  const reverted = cause.walk((error) => error instanceof ContractFunctionRevertedError) !== null
  const refused = data !== undefined || reverted || /revert/i.test(cause.message)
  if (!refused) return new HubError('chain_unavailable', cause.shortMessage, { cause })
  const reason = data ? describeRevert(data) : cause.shortMessage
  return new HubError('chain_refused', `the chain refuses: ${reason}`, {
    cause,
    values: { reason },
  })
}

/** The custom error in revert data with its values, following the one that HubAccount wraps. */
export function describeRevert(data: Hex): string {
  try {
    const { errorName, args = [] } = decodeErrorResult({ abi: errorAbi, data })
    const inner = errorName === 'CallFailed' ? (args as readonly unknown[])[1] : undefined
    return typeof inner === 'string'
      ? describeRevert(inner as Hex)
      : `${errorName}(${args.join(', ')})`
  } catch (cause) {
    if (cause instanceof BaseError) return data
    throw cause
  }
}

function revertData(error: BaseError): Hex | undefined {
  const holder = error.walk((inner) => typeof (inner as { data?: unknown }).data === 'string')
  const data = (holder as { data?: unknown } | null)?.data
  return typeof data === 'string' && data.startsWith('0x') && data.length > 2
    ? (data as Hex)
    : undefined
}
