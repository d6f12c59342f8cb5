// Networks with faults, in front of the real one. Each fault is for the requests whose method and path a pattern matches.

type Fetch = typeof fetch

/** The requests go through, their answers do not: `times` of them. */
export function losingAnswers(pattern: RegExp, times: number): Fetch {
  let left = times
  return async (input, init) => {
    const response = await fetch(input, init)
    if (left <= 0 || !pattern.test(nameOf(input, init))) return response
    left -= 1
    await response.arrayBuffer()
    throw new TypeError('terminated')
  }
}

/** Matching requests find nobody, as when a program has stopped. */
export function unreachable(pattern: RegExp): Fetch {
  return (input, init) => {
    if (!pattern.test(nameOf(input, init))) return fetch(input, init)
    const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    return Promise.reject(new TypeError('fetch failed', { cause }))
  }
}

/** Every matching answer is what `change` makes of it: its status and its JSON. */
export function changingAnswers(
  pattern: RegExp,
  change: (answer: { status: number; body: unknown }) => { status: number; body: unknown },
): Fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    if (!pattern.test(nameOf(input, init))) return response
    const answer = change({ status: response.status, body: await response.json() })
    return Response.json(answer.body, { status: answer.status })
  }
}

/** The real network, and the bodies that were sent to matching requests. */
export function recording(pattern: RegExp): { fetch: Fetch; bodies: unknown[] } {
  const bodies: unknown[] = []
  return {
    bodies,
    fetch: (input, init) => {
      if (pattern.test(nameOf(input, init))) bodies.push(JSON.parse(String(init?.body ?? 'null')))
      return fetch(input, init)
    },
  }
}

/** The same JSON with another value at a path. */
export function withValue(
  json: unknown,
  [key, ...rest]: readonly (number | string)[],
  value: unknown,
): unknown {
  if (key === undefined) return value
  if (Array.isArray(json)) return json.with(Number(key), withValue(json[Number(key)], rest, value))
  const fields = new Map(Object.entries(json ?? {}))
  return Object.fromEntries(fields.set(`${key}`, withValue(fields.get(`${key}`), rest, value)))
}

function nameOf(input: Parameters<Fetch>[0], init: Parameters<Fetch>[1]): string {
  const url = new URL(input instanceof Request ? input.url : String(input))
  return `${init?.method ?? 'GET'} ${url.pathname}`
}
