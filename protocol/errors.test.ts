import assert from 'node:assert/strict'
import { STATUS_CODES } from 'node:http'
import { type ErrorCode, errorTable, fromProblem, HubError, toProblem } from './errors.ts'

const codes = Object.keys(errorTable).filter(isCode)

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorTable, text)
}

describe('errorTable', () => {
  it('gives each code a status of HTTP that tells of a failure', () => {
    for (const code of codes) {
      const [status] = errorTable[code]
      assert.ok(STATUS_CODES[status], `${code} has status ${status}`)
      assert.ok(status >= 400 && status <= 599, `${code} has status ${status}`)
    }
  })
  it('spells codes in snake case', () => {
    for (const code of codes) assert.match(code, /^[a-z]+(_[a-z]+)*$/)
  })
  it('gives each code a title without a full stop and an action with one', () => {
    for (const code of codes) {
      const [, title, action] = errorTable[code]
      assert.match(title, /^[A-Z].*[^.\s]$/, code)
      assert.match(action, /^[A-Z].*\.$/, code)
    }
  })
  it('gives no two codes the same title', () => {
    assert.equal(new Set(codes.map((code) => errorTable[code][1])).size, codes.length)
  })
  it('answers the two refusals of the rule for money with 409 and 402 (R3)', () => {
    assert.equal(errorTable.ceiling_too_low[0], 409)
    assert.equal(errorTable.deposit_exceeded[0], 402)
  })
})

describe('HubError', () => {
  it('is an error with a code, a detail and values', () => {
    const error = new HubError('ceiling_too_low', '40 is below 55', { values: { needed: 55n } })
    assert.ok(error instanceof Error)
    assert.equal(error.name, 'HubError')
    assert.equal(error.code, 'ceiling_too_low')
    assert.equal(error.message, '40 is below 55')
    assert.deepEqual(error.values, { needed: 55n })
  })
  it('has no values unless given, and no cause unless given', () => {
    const error = new HubError('stopping', 'stopping')
    assert.deepEqual(error.values, {})
    assert.equal(Object.hasOwn(error, 'cause'), false)
    const cause = new Error('disk full')
    assert.equal(new HubError('storage_failed', 'disk', { cause }).cause, cause)
  })
})

describe('toProblem', () => {
  it('tells type, title, status, code, detail, action and values', () => {
    const error = new HubError('deposit_exceeded', '60 exceeds 55', {
      values: { new: 60n, available: 55n, channel: '0xab', final: true, count: 2, names: ['a'] },
    })
    assert.deepEqual(toProblem(error), {
      type: 'https://jandon.dev/problems/deposit_exceeded',
      title: 'The channel does not hold enough',
      status: 402,
      code: 'deposit_exceeded',
      detail: '60 exceeds 55',
      action: 'Top the channel up, or tip at most "available".',
      values: { new: '60', available: '55', channel: '0xab', final: true, count: 2, names: ['a'] },
    })
  })
  it('keeps large amounts exact', () => {
    const error = new HubError('deposit_exceeded', 'much', { values: { new: 2n ** 128n - 1n } })
    assert.deepEqual(toProblem(error).values, { new: '340282366920938463463374607431768211455' })
  })
  it('tells nothing of the cause', () => {
    const error = new HubError('storage_failed', 'disk', { cause: new Error('/secret/path') })
    assert.doesNotMatch(JSON.stringify(toProblem(error)), /secret/)
  })
})

describe('fromProblem', () => {
  for (const code of codes) {
    it(`rebuilds ${code} from its problem document`, () => {
      const values = { needed: '55', count: 2, final: false, names: ['a', 'b'] }
      const sent = new HubError(code, `why ${code}`, { values })
      const received = fromProblem(JSON.parse(JSON.stringify(toProblem(sent))))
      assert.ok(received instanceof HubError)
      assert.equal(received.code, code)
      assert.equal(received.message, `why ${code}`)
      assert.deepEqual(received.values, values)
      assert.deepEqual(toProblem(received), toProblem(sent))
    })
  }
  it('takes the code for the detail when there is none', () => {
    assert.equal(fromProblem({ code: 'stopping' })?.message, 'stopping')
    assert.equal(fromProblem({ code: 'stopping', detail: 5 })?.message, 'stopping')
  })
  it('takes no values where there is no object of them', () => {
    for (const values of [undefined, null, 'x', 5, true, [], ['a']]) {
      assert.deepEqual(fromProblem({ code: 'stopping', values })?.values, {})
    }
  })
  const foreign: unknown[] = [
    ...[undefined, null, true, 0, 'stopping', '', [], ['stopping'], {}, { code: null }],
    ...[{ code: 5 }, { code: ['stopping'] }, { code: '' }, { code: 'STOPPING' }],
    ...[{ code: 'stopping ' }, { code: 'no_such_code' }, { type: 'about:blank', status: 404 }],
    ...['toString', 'constructor', '__proto__', 'hasOwnProperty', 'length'].map((code) => ({
      code,
    })),
  ]
  for (const body of foreign) {
    it(`answers undefined for ${JSON.stringify(body)}`, () => {
      assert.equal(fromProblem(body), undefined)
    })
  }
})
