// Ways to spoil a good JSON body, one at a time: a field missing, a field too many, a value of another type.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

type Path = (string | number)[]

/** A spoiled copy and what was done to it. */
export type Spoiled = { what: string; body: Json }

/** Without each of its fields, at every depth. Fields named in `optional` may be absent. */
export function withoutEachField(good: Json, optional: readonly string[] = []): Spoiled[] {
  return pathsOf(good)
    .filter((path) => typeof path.at(-1) === 'string' && !optional.includes(nameOf(path)))
    .map((path) => ({ what: `without ${nameOf(path)}`, body: changedAt(good, path, undefined) }))
}

/** With one field more, in every object. */
export function withExtraFields(good: Json, open: readonly string[] = []): Spoiled[] {
  const objects: Path[] = [[], ...pathsOf(good)].filter((path) => isObject(valueAt(good, path)))
  return objects
    .filter((path) => !open.includes(nameOf(path)))
    .map((path) => ({
      what: `with an extra field in ${nameOf(path) || 'the body'}`,
      body: changedAt(good, [...path, 'extra'], 'x'),
    }))
}

/** With each value replaced by values of other types. Null is one of them, because no field of the protocol is nullable. */
export function withOtherTypes(good: Json): Spoiled[] {
  return pathsOf(good).flatMap((path) => {
    const value = valueAt(good, path)
    return [null, true, 7, 'nonsense \u0007', [], {}, [value ?? null], { value: value ?? null }]
      .filter((other) => kindOf(other) !== kindOf(value) || kindOf(value) === 'string')
      .map((other) => ({
        what: `with ${JSON.stringify(other).slice(0, 30)} as ${nameOf(path)}`,
        body: changedAt(good, path, other),
      }))
  })
}

/** The JSON text of an object with its first key written twice, the second time in an escaped spelling. */
export function withRepeatedKey(good: Json): string[] {
  const text = JSON.stringify(good)
  const [name] = isObject(good) ? Object.keys(good) : []
  if (name === undefined) return [`{"x":1,"x":2}`]
  const escaped = `\\u${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}`
  return [name, escaped].map((key) => `{"${key}":null,${text.slice(1)}`)
}

function pathsOf(value: Json): Path[] {
  if (!isObject(value) && !Array.isArray(value)) return []
  const keys = Array.isArray(value) ? value.map((_item, index) => index) : Object.keys(value)
  return keys.flatMap((key) => {
    const child = valueAt(value, [key])
    return [[key], ...(child === undefined ? [] : pathsOf(child)).map((path) => [key, ...path])]
  })
}

function valueAt(value: Json, path: Path): Json | undefined {
  return path.reduce<Json | undefined>((at, key) => {
    if (Array.isArray(at)) return at[Number(key)]
    return isObject(at) ? at[key] : undefined
  }, value)
}

/** A copy with another value at a path; `undefined` takes the field away. */
function changedAt(value: Json, path: Path, next: Json | undefined): Json {
  const [key, ...rest] = path
  if (key === undefined) return next ?? null
  if (Array.isArray(value)) {
    return value.map((item, index) => (index === key ? changedAt(item, rest, next) : item))
  }
  const { [key]: old, ...others } = isObject(value) ? value : {}
  if (rest.length === 0) return next === undefined ? others : { ...others, [key]: next }
  return { ...others, [key]: changedAt(old ?? null, rest, next) }
}

function nameOf(path: Path): string {
  return path.join('.')
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: Json | undefined): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
