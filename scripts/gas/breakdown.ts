// What a transaction's gas went to, from its input, its trace and its receipt.

import type { Hex } from 'viem'
import { size } from 'viem'
import { z } from 'zod'
import type { GasChain } from './chain.ts'

/** Gas by what it paid for; the parts add up to what the transaction used. */
export type Breakdown = {
  base: number
  calldata: number
  storage: number
  logs: number
  precompile: number
  accounts: number
  hashing: number
  code: number
}

const trace = z.object({
  structLogs: z.array(
    z.object({ op: z.string(), gas: z.number(), gasCost: z.number(), depth: z.number() }),
  ),
})

type Step = z.output<typeof trace>['structLogs'][number]
type Part = Exclude<keyof Breakdown, 'base' | 'calldata'>

const transactionGas = 21_000

/** `storage` is net of refunds; `accounts` is the first touch of another account and what calling it costs. */
export async function explain({ chain }: GasChain, hash: Hex): Promise<Breakdown> {
  const [{ input }, { gasUsed }, answer] = await Promise.all([
    chain.getTransaction({ hash }),
    chain.getTransactionReceipt({ hash }),
    chain.request({
      method: 'debug_traceTransaction',
      params: [hash, { disableStorage: true, disableMemory: true }],
    } as never),
  ])
  const steps = trace.parse(answer).structLogs
  const sums: Record<Part, number> = {
    storage: 0,
    logs: 0,
    precompile: 0,
    accounts: 0,
    hashing: 0,
    code: 0,
  }
  for (const [index, step] of steps.entries()) {
    const next = steps[index + 1]
    if (next && next.depth > step.depth) continue
    const cost = isCall(step) && next ? step.gas - next.gas : step.gasCost
    sums[partOf(step)] += cost
  }
  const calldata = calldataGas(input)
  const executed = executionGas(steps)
  // What the trace gives for entering another contract includes the gas handed over: it is what remains.
  sums.accounts += executed - Object.values(sums).reduce((sum, cost) => sum + cost, 0)
  sums.storage -= transactionGas + calldata + executed - Number(gasUsed)
  return { base: transactionGas, calldata, ...sums }
}

function partOf(step: Step): Part {
  if (/^(SLOAD|SSTORE|TLOAD|TSTORE)$/.test(step.op)) return 'storage'
  if (step.op.startsWith('LOG')) return 'logs'
  if (isCall(step)) return 'precompile'
  if (/^EXTCODE/.test(step.op)) return 'accounts'
  return step.op === 'KECCAK256' ? 'hashing' : 'code'
}

function isCall({ op }: Step): boolean {
  return /^(CALL|STATICCALL|DELEGATECALL)$/.test(op)
}

function executionGas(steps: readonly Step[]): number {
  const [first] = steps
  const last = steps.at(-1)
  return first && last ? first.gas - last.gas + last.gasCost : 0
}

function calldataGas(input: Hex): number {
  const zeros = (input.slice(2).match(/../g) ?? []).filter((byte) => byte === '00').length
  return zeros * 4 + (size(input) - zeros) * 16
}
