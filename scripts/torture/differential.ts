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
  allowedBy,
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
import type { Stream } from './streams.ts'

/** What a campaign did. `difference` tells where it ended early. */
export type Differences = {
  sequences: number
  calls: number
  /** How often each kind of call got each answer: `done`, `silent` where nothing was to be told, or an error. */
  answers: Record<string, Record<string, number>>
  difference: string | undefined
}

/** What the model says of a call. */
type Foretold = { revert: Said | undefined; events: Said[] }

const callsPerSequence = 32

/** Plays `sequences` sequences; stops at the first difference. */
export async function differ(
  { seed, sequences }: { seed: number; sequences: number },
  bytecodes: Bytecodes = {},
): Promise<Differences> {
  const chain = await createChain(bytecodes)
  const done: Differences = {
    sequences: 0,
    calls: 0,
    answers: {},
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
  const streams: Stream[] = []
  for (let index = 0; index < callsPerSequence; index += 1) {
    time += pause(random)
    const { sender, call } = drawCall(
      { random, cast, setting, state: structuredClone(state), time, streams },
      index,
    )
    const { next, said } = foretell({ state, setting, sender, time, events: [] }, call)
    const { to, data } = encodeCall(chain.encoder, call)
    const mined = await chain.send({ from: sender, to, data }, time)

    done.calls += 1
    count(done, call, said)
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

/** Counts the answer to a call; to one of the hub's account under the first call that it makes. */
function count({ answers }: Differences, call: Call, said: Foretold): void {
  const kind = call.kind === 'run' ? (call.calls[0]?.kind ?? call.kind) : call.kind
  const ofKind = answers[kind] ?? {}
  answers[kind] = ofKind
  const answer = said.revert ? errorIn(said.revert) : said.events.length > 0 ? 'done' : 'silent'
  ofKind[answer] = (ofKind[answer] ?? 0) + 1
}

function errorIn({ name, args }: Said): string {
  return name === 'CallFailed' ? errorIn(args[1] as Said) : name
}

/** Mostly a second, sometimes minutes, sometimes weeks. */
function pause(random: Random): bigint {
  if (random.once(8)) return random.between(1n, 2_600_000n)
  return random.once(3) ? random.near(900n) + 1n : 1n
}

/** What a call does to the model: a refused one nothing. */
function foretell(context: Context, call: Call): { next: State; said: Foretold } {
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
  const { channels, vault, hub, collectors, permit2 } = setting
  const payers = cast.configs.map(({ payer }) => payer)
  const contracts = [channels, vault, hub, permit2, ...Object.values(collectors)]
  const people = [...cast.creators, cast.merchant, cast.stranger]
  const holders = new Set([...contracts, ...payers, ...people])
  return [
    ...[...holders].map((holder) => ({
      name: `held ${token} ${holder}`,
      target: token,
      callData: encodeFunctionData({
        abi: testTokenAbi,
        functionName: 'balanceOf',
        args: [holder],
      }),
      words: [heldBy(state, token, holder)],
    })),
    ...payers.flatMap((owner) =>
      [channels, permit2].map((spender) => ({
        name: `allowance ${token} ${owner} ${spender}`,
        target: token,
        callData: encodeFunctionData({
          abi: testTokenAbi,
          functionName: 'allowance',
          args: [owner, spender],
        }),
        words: [allowedBy(state, { token, owner, spender })],
      })),
    ),
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
