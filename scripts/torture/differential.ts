// Random sequences of calls on the contracts and on the model: every event, every error with its values, and after each
// sequence every balance must be the same.

import assert from 'node:assert/strict'
import type { Address, Hex } from 'viem'
import { decodeFunctionResult, encodeFunctionData, numberToHex } from 'viem'
import { creatorVaultAbi, paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import { channelId } from '#protocol/channel.ts'
import { drawCall } from './calls.ts'
import { type Bytecodes, type Chain, createChain } from './chain.ts'
import { decodeError, decodeEvent, encodeCall, spell } from './encode.ts'
import { type Call, callModel } from './model/hub.ts'
import {
  accountOf,
  type Context,
  channelOf,
  heldBy,
  owedIn,
  Refusal,
  receiverOf,
  type Said,
  type State,
} from './model/state.ts'
import { createRandom, type Random } from './random.ts'

/** What a campaign did. `difference` tells where it ended early. */
export type Differences = {
  sequences: number
  calls: number
  /** How often each kind of call was made, and how often each error was the answer. */
  kinds: Record<string, number>
  refusals: Record<string, number>
  difference: string | undefined
}

const callsPerSequence = 24

/** Plays `sequences` sequences; stops at the first difference. */
export async function differ(
  { seed, sequences }: { seed: number; sequences: number },
  bytecodes: Bytecodes = {},
): Promise<Differences> {
  const chain = await createChain(bytecodes)
  const done: Differences = {
    sequences: 0,
    calls: 0,
    kinds: {},
    refusals: {},
    difference: undefined,
  }
  for (let index = 0; index < sequences; index += 1) {
    const random = createRandom(seed + index)
    try {
      await playSequence(chain, random, done)
    } catch (cause) {
      if (!(cause instanceof assert.AssertionError)) throw cause
      done.difference = `seed ${seed + index}, call ${done.calls}: ${cause.message}`
      return done
    }
    done.sequences += 1
  }
  return done
}

async function playSequence(chain: Chain, random: Random, done: Differences): Promise<void> {
  await chain.rewind()
  const { setting, cast } = chain
  let state = structuredClone(chain.initial)
  let time = chain.start
  for (let index = 0; index < callsPerSequence; index += 1) {
    time += pause(random)
    const { sender, call } = drawCall(
      { random, cast, setting, state: structuredClone(state), time },
      index,
    )
    const { next, said } = foretell({ state, setting, sender, time, events: [] }, call)
    const { to, data } = encodeCall(chain.encoder, call)
    const mined = await chain.send({ from: sender, to, data }, time)

    done.calls += 1
    done.kinds[call.kind] = (done.kinds[call.kind] ?? 0) + 1
    if (said.revert) count(done.refusals, said.revert)
    const what = `${call.kind} by ${sender}`
    const seen = {
      revert: mined.revert === undefined ? undefined : decodeError(mined.revert),
      events: mined.logs.flatMap((log) => decodeEvent(log) ?? []),
    }
    assert.deepEqual(plain(seen), plain(said), what)
    state = next
  }
  await compareBalances(chain, state)
}

/** Counts an error; one inside a call of the hub's account as itself. */
function count(refusals: Record<string, number>, { name, args }: Said): void {
  if (name === 'CallFailed') count(refusals, args[1] as Said)
  else refusals[name] = (refusals[name] ?? 0) + 1
}

/** Mostly a second, sometimes minutes, sometimes weeks. */
function pause(random: Random): bigint {
  if (random.once(8)) return random.between(1n, 2_600_000n)
  return random.once(3) ? random.near(900n) + 1n : 1n
}

/** What the call does to the model: a refused one nothing. */
function foretell(
  context: Context,
  call: Call,
): { next: State; said: { revert: Said | undefined; events: Said[] } } {
  const next = structuredClone(context.state)
  const attempt = { ...context, state: next }
  try {
    callModel(attempt, call)
    return { next, said: { revert: undefined, events: attempt.events } }
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    return { next: context.state, said: { revert: spell(cause.said), events: [] } }
  }
}

/** Amounts as decimal text and hex in lower case, whatever type they came as. */
function plain(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
    case 'number':
      return `${value}`
    case 'string':
      return value.toLowerCase()
    case 'object':
      if (value === null) return value
      if (Array.isArray(value)) return value.map(plain)
      return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, plain(of)]))
    default:
      return value
  }
}

/** One thing that the chain can be asked: what it is called, how to ask, and the words that the model expects. */
type Question = { name: string; target: Address; callData: Hex; words: bigint[] }

async function compareBalances(chain: Chain, state: State): Promise<void> {
  const questions = balanceQuestions(chain, state)
  const data = encodeFunctionData({ abi: readerAbi, args: [true, questions] })
  const answer = await chain.read(chain.reader, data)
  const results = decodeFunctionResult({ abi: readerAbi, data: answer })
  const seen = results.map(({ returnData }, index) => `${questions[index]?.name} ${returnData}`)
  const expected = questions.map(
    ({ name, words }) =>
      `${name} 0x${words.map((word) => numberToHex(word, { size: 32 }).slice(2)).join('')}`,
  )
  assert.deepEqual(seen, expected, 'balances')
}

function balanceQuestions({ setting, cast }: Chain, state: State): Question[] {
  const channels = setting.channels
  const ofChannels = cast.configs.flatMap((config): Question[] => {
    const id = channelId(config, setting.separators.channels)
    const { balance, claimed, pending, nonce } = channelOf(state, id)
    const ask = (functionName: 'channels' | 'pendingWithdrawals' | 'refundNonce') =>
      encodeFunctionData({ abi: paymentChannelsAbi, functionName, args: [id] })
    const withdrawal = [pending?.amount ?? 0n, pending?.initiatedAt ?? 0n]
    return [
      {
        name: `channel ${id}`,
        target: channels,
        callData: ask('channels'),
        words: [balance, claimed],
      },
      {
        name: `withdrawal ${id}`,
        target: channels,
        callData: ask('pendingWithdrawals'),
        words: withdrawal,
      },
      { name: `nonce ${id}`, target: channels, callData: ask('refundNonce'), words: [nonce] },
    ]
  })
  return [
    ...ofChannels,
    ...setting.tokens.flatMap((token) => tokenQuestions({ setting, cast }, state, token)),
  ]
}

function tokenQuestions(
  { setting, cast }: Pick<Chain, 'setting' | 'cast'>,
  state: State,
  token: Address,
): Question[] {
  const { channels, vault, hub, collector } = setting
  const payers = cast.configs.map(({ payer }) => payer)
  const holders = new Set([...payers, ...cast.creators, cast.merchant, cast.stranger])
  return [
    ...[channels, vault, hub, collector, ...holders].map((holder) => ({
      name: `held ${token} ${holder}`,
      target: token,
      callData: encodeFunctionData({
        abi: testTokenAbi,
        functionName: 'balanceOf',
        args: [holder],
      }),
      words: [heldBy(state, token, holder)],
    })),
    ...[vault, cast.merchant].map((receiver) => {
      const { claimed, settled } = receiverOf(state, receiver, token)
      return {
        name: `receiver ${receiver} ${token}`,
        target: channels,
        callData: encodeFunctionData({
          abi: paymentChannelsAbi,
          functionName: 'receivers',
          args: [receiver, token],
        }),
        words: [claimed, settled],
      }
    }),
    ...cast.creators.map((account) => {
      const { credited, paid } = accountOf(state, token, account)
      return {
        name: `account ${account} ${token}`,
        target: vault,
        callData: encodeFunctionData({
          abi: creatorVaultAbi,
          functionName: 'accounts',
          args: [token, account],
        }),
        words: [credited, paid],
      }
    }),
    {
      name: `owed ${token}`,
      target: vault,
      callData: encodeFunctionData({ abi: creatorVaultAbi, functionName: 'owed', args: [token] }),
      words: [owedIn(state, token)],
    },
  ]
}

const readerAbi = [
  {
    type: 'function',
    name: 'tryAggregate',
    stateMutability: 'payable',
    inputs: [
      { name: 'requireSuccess', type: 'bool' },
      {
        name: 'calls',
        type: 'tuple[]',
        components: [
          { name: 'target', type: 'address' },
          { name: 'callData', type: 'bytes' },
        ],
      },
    ],
    outputs: [
      {
        name: '',
        type: 'tuple[]',
        components: [
          { name: 'success', type: 'bool' },
          { name: 'returnData', type: 'bytes' },
        ],
      },
    ],
  },
] as const
