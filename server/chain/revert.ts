// Why the chain said no, in words.

import type { Hex } from 'viem'
import { BaseError, ContractFunctionRevertedError, decodeErrorResult } from 'viem'
import { creatorVaultAbi, hubAccountAbi, paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import { HubError } from '#protocol/errors.ts'

const errorAbi = [
  ...hubAccountAbi,
  ...paymentChannelsAbi,
  ...creatorVaultAbi,
  ...testTokenAbi,
].filter((item) => item.type === 'error')

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

/** Whether the chain itself said no. */
export function isRefused(cause: unknown): cause is HubError {
  return cause instanceof HubError && cause.code === 'chain_refused'
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

/** Which call of a run failed, if that is what the data says. */
export function failedCall(data: Hex): number | undefined {
  try {
    const { errorName, args } = decodeErrorResult({ abi: errorAbi, data })
    return errorName === 'CallFailed' ? Number((args as readonly unknown[])[0]) : undefined
  } catch (cause) {
    if (cause instanceof BaseError) return undefined
    throw cause
  }
}

/** The data that a contract reverted with, if the error carries any. */
export function revertData(error: BaseError): Hex | undefined {
  const holder = error.walk((inner) => typeof (inner as { data?: unknown }).data === 'string')
  const data = (holder as { data?: unknown } | null)?.data
  return typeof data === 'string' && data.startsWith('0x') && data.length > 2
    ? (data as Hex)
    : undefined
}
