import assert from 'node:assert/strict'
import { createPublicClient, custom, RpcRequestError, TimeoutError } from 'viem'
import type { Endpoint } from './endpoints.ts'
import { createEndpoints, requestAnywhere } from './endpoints.ts'

function endpointOf(name: string, answer: () => unknown): Endpoint {
  const request = async () => answer()
  return { name, client: createPublicClient({ transport: custom({ request }, { retryCount: 0 }) }) }
}

const url = 'http://127.0.0.1'
const hangs = () => {
  throw new TimeoutError({ body: {}, url })
}
const says = (code: number) => () => {
  throw new RpcRequestError({ body: {}, url, error: { code, message: 'no' } })
}
const names = (endpoints: readonly Endpoint[]) => endpoints.map(({ name }) => name)

describe('createEndpoints', () => {
  const [first, second] = [endpointOf('first', () => '0x1'), endpointOf('second', () => '0x2')]
  let time = 0
  const now = () => time

  it('leaves out one that is put aside, twice as long each time, and a second again after it worked', () => {
    const endpoints = createEndpoints([first, second], { now })
    for (const pause of [1_000, 2_000, 4_000]) {
      endpoints.putAside(first, 'late')
      time += pause - 1
      assert.deepEqual(names(endpoints.usable()), ['second'])
      assert.equal(endpoints.asideCount(), 1)
      time += 1
      assert.deepEqual(names(endpoints.usable()), ['first', 'second'])
    }
    endpoints.worked(first)
    endpoints.putAside(first, 'late')
    time += 1_000
    assert.deepEqual(names(endpoints.usable()), ['first', 'second'])
  })

  it('answers all when all are put aside, the one that is free first in front', () => {
    const endpoints = createEndpoints([first, second], { now })
    endpoints.putAside(first, 'late')
    time += 1
    endpoints.putAside(second, 'late')
    endpoints.putAside(first, 'late')
    assert.deepEqual(names(endpoints.usable()), ['second', 'first'])
  })

  it('tells once that one is put aside, with the reason', () => {
    const told: string[] = []
    const onAside = ({ name }: Endpoint, reason: string) => told.push(`${name} ${reason}`)
    const endpoints = createEndpoints([first, second], { now, onAside })
    endpoints.putAside(first, 'late')
    endpoints.putAside(first, 'wrong')
    assert.deepEqual(told, ['first late'])
  })
})

describe('requestAnywhere', () => {
  const request = { method: 'eth_blockNumber' } as const

  it('answers what the next one says when one hangs or has enough', async () => {
    for (const failure of [hangs, says(-32_005), says(429)]) {
      const all = [endpointOf('first', failure), endpointOf('second', () => '0x2')]
      const endpoints = createEndpoints(all, { now: () => 0 })
      assert.equal(await requestAnywhere(endpoints, request), '0x2')
      assert.deepEqual(names(endpoints.usable()), ['second'])
    }
  })

  it('takes no for an answer, and asks nobody else', async () => {
    const all = [endpointOf('first', says(3)), endpointOf('second', () => '0x2')]
    const endpoints = createEndpoints(all, { now: () => 0 })
    await assert.rejects(requestAnywhere(endpoints, request), RpcRequestError)
    assert.equal(endpoints.asideCount(), 0)
  })

  it('throws what the last one failed with', async () => {
    const all = [endpointOf('first', says(-32_005)), endpointOf('second', hangs)]
    await assert.rejects(
      requestAnywhere(createEndpoints(all, { now: () => 0 }), request),
      TimeoutError,
    )
  })
})
