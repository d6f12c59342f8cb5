// The sponge of keccak256 as WebAssembly, put together instruction by instruction when it is loaded, so that nothing stands
// between this text and what runs. Source: FIPS 202, sections 3.2 and 4; with the padding that Ethereum uses, which is the
// caller's. Encoding: WebAssembly Core Specification 2.0, section 5.

/** Where the memory of the code holds what it needs: the round constants, and the state that the last message came to. */
export const places = { roundConstants: 0, lastState: 192, free: 512 } as const

/** Bytes that a permutation takes in. */
export const blockBytes = 136

const rounds = 24
const lanes = 25
const lanesTakenIn = blockBytes / 8
const lanesGivenOut = 4

/** The parameters of the one function, and its variables after them; numbers are those of the locals. */
const local = {
  from: 0,
  at: 1,
  blocks: 2,
  count: 3,
  into: 4,
  left: 5,
  round: 6,
  first64: 7,
} as const

const a = (lane: number) => local.first64 + lane
const b = (lane: number) => local.first64 + lanes + lane
const c = (column: number) => local.first64 + 2 * lanes + column
const d = (column: number) => local.first64 + 2 * lanes + 5 + column

type Code = readonly number[]

const i32 = 0x7f
const i64 = 0x7e
const op = {
  loop: [0x03, 0x40],
  end: [0x0b],
  brIf: (depth: number) => [0x0d, depth],
  get: (name: number) => [0x20, name],
  set: (name: number) => [0x21, name],
  tee: (name: number) => [0x22, name],
  load: (offset: number) => [0x29, 0, ...unsigned(offset)],
  store: (offset: number) => [0x37, 0, ...unsigned(offset)],
  const32: (value: number) => [0x41, ...signed(value)],
  const64: (value: number) => [0x42, ...signed(value)],
  add32: [0x6a],
  sub32: [0x6b],
  ltU32: [0x49],
  and: [0x83],
  xor: [0x85],
  rotl: [0x89],
} as const

/**
 * A module that exports `memory` of so many pages of 64 KiB and `hash(from, at, blocks, count, into)`: it hashes `count` messages
 * of so many blocks each, padded and one after the other at `at`, and writes their digests of 32 bytes one after the other to
 * `into`. Each begins with the state at `from`: zeros, or the last state, to go on with a long message.
 */
export function keccakModule(pages: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [[0x60, ...vector([[i32], [i32], [i32], [i32], [i32]]), 0]]),
    ...section(3, [[0]]),
    ...section(5, [[0x00, ...unsigned(pages)]]),
    ...section(7, [
      [...name('memory'), 0x02, 0],
      [...name('hash'), 0x00, 0],
    ]),
    ...section(10, [sized([...vector(localsOfFunction), ...hashMessages(), ...op.end])]),
  ])
}

/** The constants of the rounds in order: the bits of a shift register (algorithm 5 of FIPS 202). */
export function roundConstants(): BigUint64Array {
  let register = 1
  return BigUint64Array.from({ length: rounds }, () => {
    let constant = 0n
    for (let bit = 0; bit < 7; bit += 1) {
      if (register & 1) constant |= 1n << BigInt((1 << bit) - 1)
      register = (register << 1) ^ (register & 0x80 ? 0x171 : 0)
    }
    return constant
  })
}

const localsOfFunction: Code[] = [
  [...unsigned(2), i32],
  [...unsigned(2 * lanes + 10), i64],
]

function hashMessages(): Code {
  return [
    ...op.loop,
    ...each(lanes, (lane) => [...op.get(local.from), ...op.load(8 * lane), ...op.set(a(lane))]),
    ...[...op.get(local.blocks), ...op.set(local.left)],
    ...takeInBlocks(),
    ...each(lanesGivenOut, (lane) => [
      ...op.get(local.into),
      ...op.get(a(lane)),
      ...op.store(8 * lane),
    ]),
    ...advance(local.into, 32),
    ...[...op.get(local.count), ...op.const32(1), ...op.sub32, ...op.tee(local.count)],
    ...[...op.brIf(0), ...op.end],
    ...each(lanes, (lane) => [
      ...op.const32(places.lastState),
      ...op.get(a(lane)),
      ...op.store(8 * lane),
    ]),
  ]
}

function takeInBlocks(): Code {
  return [
    ...op.loop,
    ...each(lanesTakenIn, (lane) => [
      ...[...op.get(a(lane)), ...op.get(local.at), ...op.load(8 * lane)],
      ...[...op.xor, ...op.set(a(lane))],
    ]),
    ...advance(local.at, blockBytes),
    ...permute(),
    ...[...op.get(local.left), ...op.const32(1), ...op.sub32, ...op.tee(local.left)],
    ...[...op.brIf(0), ...op.end],
  ]
}

function permute(): Code {
  return [
    ...[...op.const32(places.roundConstants), ...op.set(local.round)],
    ...op.loop,
    ...theta(),
    ...rhoAndPi(),
    ...chi(),
    ...[...op.get(a(0)), ...op.get(local.round), ...op.load(0), ...op.xor, ...op.set(a(0))],
    ...advance(local.round, 8),
    ...[...op.get(local.round), ...op.const32(places.roundConstants + 8 * rounds), ...op.ltU32],
    ...[...op.brIf(0), ...op.end],
  ]
}

/** The parities of the columns, and what each column is changed by. */
function theta(): Code {
  return [
    ...each(5, (x) => [
      ...op.get(a(x)),
      ...each(4, (y) => [...op.get(a(x + 5 * (y + 1))), ...op.xor]),
      ...op.set(c(x)),
    ]),
    ...each(5, (x) => [
      ...[...op.get(c((x + 1) % 5)), ...op.const64(1), ...op.rotl],
      ...[...op.get(c((x + 4) % 5)), ...op.xor, ...op.set(d(x))],
    ]),
  ]
}

/** Every lane turned by its offset and put in its new place, from `a` to `b`. */
function rhoAndPi(): Code {
  return each(lanes, (lane) => {
    const [x, y] = [lane % 5, Math.floor(lane / 5)]
    const turned = [...op.const64(offsets[lane] ?? 0), ...op.rotl]
    return [
      ...[...op.get(a(lane)), ...op.get(d(x)), ...op.xor, ...turned],
      ...op.set(b(y + 5 * ((2 * x + 3 * y) % 5))),
    ]
  })
}

/** Each lane with the two after it in its row, from `b` to `a`. */
function chi(): Code {
  return each(lanes, (lane) => {
    const after = (steps: number) => b(lane - (lane % 5) + ((lane + steps) % 5))
    return [
      ...[...op.get(after(1)), ...op.const64(-1), ...op.xor, ...op.get(after(2)), ...op.and],
      ...[...op.get(b(lane)), ...op.xor, ...op.set(a(lane))],
    ]
  })
}

/** By how many bits each lane turns: triangular numbers along the way that pi leads (algorithm 2 of FIPS 202). */
const offsets: readonly number[] = turns()

function turns(): number[] {
  const bits = Array.from({ length: lanes }, () => 0)
  let [x, y] = [1, 0]
  for (let step = 0; step < lanes - 1; step += 1) {
    bits[x + 5 * y] = (((step + 1) * (step + 2)) / 2) % 64
    ;[x, y] = [y, (2 * x + 3 * y) % 5]
  }
  return bits
}

function advance(name: number, by: number): Code {
  return [...op.get(name), ...op.const32(by), ...op.add32, ...op.set(name)]
}

function each(count: number, code: (index: number) => Code): Code {
  return Array.from({ length: count }, (_, index) => code(index)).flat()
}

function section(id: number, parts: readonly Code[]): Code {
  return [id, ...sized(vector(parts))]
}

function vector(parts: readonly Code[]): Code {
  return [...unsigned(parts.length), ...parts.flat()]
}

function sized(code: Code): Code {
  return [...unsigned(code.length), ...code]
}

function name(text: string): Code {
  return vector([...text].map((letter) => [letter.charCodeAt(0)]))
}

/** LEB128, as all numbers of a module are written. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

function signed(value: number): Code {
  if (value >= -0x40 && value < 0x40) return [value & 0x7f]
  return [(value & 0x7f) | 0x80, ...signed(value >> 7)]
}
