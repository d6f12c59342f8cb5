// What holds for every message: told once, shown for each schema from one good sample of its JSON.
//
// A sample's texts say what they stand for: '7' is an amount, '5' an amount above zero, '11' a uint64, '13' a uint256,
// '17' a uint256 above zero. Hex of 20, 32 or 65 bytes has a fixed length; hex of another length is a
// wallet's signature.

import assert from 'node:assert/strict'
import type { z } from 'zod'

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
type Path = readonly (number | string)[]

/** How a sample is meant. Paths are dotted, with 0 for the first element of a list. */
type Shape = {
  sample: { [name: string]: Json }
  /** Requests refuse fields that are not theirs; answers drop them, so that a hub may add some. */
  kind: 'answer' | 'request'
  optional?: readonly string[]
  nullable?: readonly string[]
  /** Objects whose names are free. */
  records?: readonly string[]
}

const bounds: { readonly [text: string]: { least: bigint; most: bigint } } = {
  '5': { least: 1n, most: 2n ** 128n - 1n },
  '7': { least: 0n, most: 2n ** 128n - 1n },
  '11': { least: 0n, most: 2n ** 64n - 1n },
  '13': { least: 0n, most: 2n ** 256n - 1n },
  '17': { least: 1n, most: 2n ** 256n - 1n },
}

/** Texts that stand for no amount, whatever their bounds. */
export const badAmounts = [
  ...['', ' ', '-1', '-0', '+1', '1.5', '1.0', '1.', '.5', '1e3', '1E3', '0x10', '0b1', '01', '00'],
  ...[' 1', '1 ', '1\n', '1_000', '1,000', '1n', '٣', '１', 'NaN', 'Infinity', 'null', 'abc'],
  ...['9'.repeat(78), '9'.repeat(79), '1'.repeat(100_000)],
] as const

const wrong: readonly Json[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  1.5,
  'x',
  '',
  [],
  ['x'],
  {},
  { a: 'b' },
]

/** Tests that a schema takes the sample and refuses what is not quite it. */
export function describeMessage(name: string, schema: z.ZodType, shape: Shape): void {
  const { sample, kind, optional = [], nullable = [], records = [] } = shape
  const paths = pathsOf(sample)
  const fields = paths.filter((path) => typeof path.at(-1) === 'string' && !isUnder(path, records))
  const texts = paths.filter((path) => typeof at(sample, path) === 'string')
  const numbers = texts.filter((path) => bounds[String(at(sample, path))])
  const hexes = texts.filter((path) => String(at(sample, path)).startsWith('0x'))
  const takes = (message: unknown) => schema.safeParse(message).success

  describe(name, () => {
    it('takes a good message', () => {
      assert.deepEqual(schema.safeParse(sample).error, undefined)
    })
    it('refuses anything but an object', () => {
      for (const other of wrong) if (!isObject(other)) assert.ok(!takes(other), show(other))
      assert.ok(!takes([sample]) && !takes(JSON.stringify(sample)))
    })
    it('refuses the message without any one of its fields, unless that is optional', () => {
      for (const path of fields) {
        const expected = optional.includes(path.join('.'))
        assert.equal(takes(changed(sample, path, undefined)), expected, path.join('.'))
      }
    })
    it('refuses a field of another type', () => {
      for (const path of paths) {
        const others = wrong.filter((value) => typeName(value) !== typeName(at(sample, path)))
        for (const value of others) {
          const expected = value === null && nullable.includes(path.join('.'))
          const taken = takes(changed(sample, path, value))
          assert.equal(taken, expected, `${path.join('.')} = ${show(value)}`)
        }
      }
    })
    it(
      kind === 'request'
        ? 'refuses a field that is not its own'
        : 'drops a field that is not its own',
      () => {
        const objects = [[], ...paths].filter(
          (path) => isObject(at(sample, path)) && !isUnder([...path, ''], records),
        )
        for (const path of objects) {
          for (const extra of ['extra', 'Signature', '__proto__', 'constructor', '']) {
            const message = JSON.parse(JSON.stringify(sample))
            Object.defineProperty(at(message, path), extra, { value: '7', enumerable: true })
            const { success, data } = schema.safeParse(message)
            assert.equal(success, kind === 'answer', `${path.join('.')} + ${extra}`)
            if (success) assert.deepEqual(data, schema.parse(sample))
          }
        }
      },
    )
    if (numbers.length > 0) describeNumbers({ schema, sample, numbers })
    if (hexes.length > 0) describeHex({ schema, sample, hexes })
  })
}

function describeNumbers({
  schema,
  sample,
  numbers,
}: {
  schema: z.ZodType
  sample: Json
  numbers: readonly Path[]
}): void {
  it('reads amounts as bigint, up to their limits and not past them', () => {
    for (const path of numbers) {
      const { least, most } = bounds[String(at(sample, path))] ?? { least: 0n, most: 0n }
      for (const value of [least, most]) {
        const parsed = schema.safeParse(changed(sample, path, value.toString()))
        assert.equal(at(parsed.data, path), value, path.join('.'))
      }
      for (const value of [least - 1n, most + 1n]) {
        const { success } = schema.safeParse(changed(sample, path, value.toString()))
        assert.equal(success, false, `${path.join('.')} = ${value}`)
      }
    }
  })
  it('refuses every text that is not a whole number', () => {
    for (const path of numbers) {
      for (const text of badAmounts) {
        const { success } = schema.safeParse(changed(sample, path, text))
        assert.equal(success, false, `${path.join('.')} = ${text.slice(0, 90)}`)
      }
    }
  })
}

function describeHex({
  schema,
  sample,
  hexes,
}: {
  schema: z.ZodType
  sample: Json
  hexes: readonly Path[]
}): void {
  it('folds hex to lower case', () => {
    for (const path of hexes) {
      const text = String(at(sample, path))
      const parsed = schema.safeParse(changed(sample, path, `0x${text.slice(2).toUpperCase()}`))
      assert.equal(at(parsed.data, path), text, path.join('.'))
    }
  })
  it('refuses hex that is too short, too long, uneven, or no hex', () => {
    for (const path of hexes) {
      const text = String(at(sample, path))
      const fixed = [42, 66, 132].includes(text.length)
      const bad = [
        ...[
          '0x',
          '',
          '0',
          text.slice(2),
          `0X${text.slice(2)}`,
          ` ${text}`,
          `${text} `,
          `${text}\n`,
        ],
        ...[text.slice(0, -1), `${text}0`, `${text.slice(0, -1)}g`, `${text.slice(0, -2)}０0`],
        ...(fixed ? [text.slice(0, -2), `${text}00`] : []),
      ]
      for (const other of bad) {
        const { success } = schema.safeParse(changed(sample, path, other))
        assert.equal(success, false, `${path.join('.')} = ${other}`)
      }
    }
  })
}

/** The sample with another value in one place, or without the field when the value is undefined. */
export function changed(sample: Json, path: Path, value: Json | undefined): Json {
  const copy = JSON.parse(JSON.stringify(sample))
  const parent = at(copy, path.slice(0, -1))
  assert.ok(typeof parent === 'object' && parent !== null)
  const key = String(path.at(-1))
  if (value === undefined) Reflect.deleteProperty(parent, key)
  else Reflect.set(parent, key, value)
  return copy
}

function pathsOf(value: Json, path: Path = []): Path[] {
  const inner =
    typeof value === 'object' && value !== null
      ? Object.entries(value).map(([key, child]) => ({
          key: Array.isArray(value) ? Number(key) : key,
          child,
        }))
      : []
  return inner.flatMap(({ key, child }) => [[...path, key], ...pathsOf(child, [...path, key])])
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => Reflect.get(Object(inner), key), value)
}

function isUnder(path: Path, records: readonly string[]): boolean {
  return records.includes(path.slice(0, -1).join('.'))
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}

function show(value: Json): string {
  return JSON.stringify(value)
}
