import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect } from './connect.ts'

describe('connect', () => {
  const servers: Server[] = []
  after(() => {
    for (const server of servers) {
      server.closeAllConnections()
      server.close()
    }
  })

  /** A node that answers block numbers, or never. */
  async function nodeThat(answers: 'answers' | 'hangs'): Promise<string> {
    const server = createServer(async (request, response) => {
      const asked = JSON.parse(await text(request)) as { id: number }[]
      if (answers === 'hangs') return
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(asked.map(({ id }) => ({ jsonrpc: '2.0', id, result: '0x2a' }))))
    })
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret`
  }

  it('asks the next endpoint when one hangs, and names neither by more than its host', async () => {
    const [hanging, working] = [await nodeThat('hangs'), await nodeThat('answers')]
    const aside: string[] = []
    const { chain, endpoints } = connect(
      {
        JANDON_RPC_URL: [hanging, working],
        JANDON_RPC_TIMEOUT_MS: 50,
        JANDON_POLL_MS: 10,
        deployment: { chainId: 31_337 },
      },
      { now: () => 0, onAside: ({ name }, reason) => aside.push(`${name}: ${reason}`) },
    )
    assert.equal(await chain.getBlockNumber(), 42n)
    assert.equal(endpoints.usable().length, 1)
    assert.equal(aside.length, 1)
    assert.match(aside.join(), /^RPC endpoint 1 \(127\.0\.0\.1:\d+\): /)
    assert.doesNotMatch(aside.join(), /secret/)
  })
})
