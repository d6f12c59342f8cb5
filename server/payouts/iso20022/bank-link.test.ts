import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { BankReportsError, createBankLink } from './bank-link.ts'

const problem = { type: 'about:blank', title: 'Refused', status: 422, code: 'FILE_NOT_VALID' }

describe('createBankLink', () => {
  let server: Server | undefined

  afterEach(() => {
    server?.closeAllConnections()
    server?.close()
  })

  /** A link to a server that answers as told; its time-outs come at once instead of after `timeoutMs`. */
  async function linkTo(listener: RequestListener, { timesOut } = { timesOut: false }) {
    server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    assert(address !== null && typeof address === 'object')
    return createBankLink({
      baseUrl: `http://127.0.0.1:${address.port}`,
      fetch,
      timeoutMs: 60_000,
      ...(timesOut ? { after: () => AbortSignal.timeout(0) } : {}),
    })
  }

  function answering(status: number, body: unknown): RequestListener {
    return (_request, response) => {
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
    }
  }

  describe('submit', () => {
    it('says received when the bank answers 202', async () => {
      const seen: unknown[] = []
      const link = await linkTo((request, response) => {
        seen.push([request.method, request.url, request.headers['content-type']])
        response.writeHead(202).end('{}')
      })
      assert.deepEqual(await link.submit('<x/>'), { kind: 'received' })
      assert.deepEqual(seen, [['POST', '/files', 'application/xml; charset=utf-8']])
    })

    it('says refused only with a problem document', async () => {
      const refused = await (await linkTo(answering(422, problem))).submit('<x/>')
      assert.deepEqual(refused, { kind: 'refused', problem })
    })

    for (const [status, body] of [
      [200, {}],
      [404, '<html>'],
      [422, {}],
      [408, problem],
      [409, problem],
      [425, problem],
      [429, problem],
      [500, problem],
      [503, ''],
    ] as const) {
      it(`says unknown when it is answered ${status} ${JSON.stringify(body).slice(0, 20)}`, async () => {
        const result = await (await linkTo(answering(status, body))).submit('<x/>')
        const reason = `bank answered ${status} to a payment file`
        assert.deepEqual(result, { kind: 'unknown', reason })
      })
    }

    it('says unknown when it is sent elsewhere', async () => {
      const link = await linkTo((_request, response) => {
        response.writeHead(307, { location: '/elsewhere' }).end()
      })
      assert.equal((await link.submit('<x/>')).kind, 'unknown')
    })

    it('says unknown when the connection is reset', async () => {
      const link = await linkTo((request) => request.socket.destroy())
      const result = await link.submit('<x/>')
      assert.equal(result.kind, 'unknown')
      assert.match(result.reason, /fetch failed/)
    })

    it('says unknown when nobody listens', async () => {
      const link = await linkTo(answering(202, {}))
      server?.close()
      assert.equal((await link.submit('<x/>')).kind, 'unknown')
    })

    it('says unknown when the answer does not come in time', async () => {
      const link = await linkTo(() => undefined, { timesOut: true })
      const result = await link.submit('<x/>')
      assert.equal(result.kind, 'unknown')
      assert.match(result.reason, /timeout/)
    })

    it('says unknown when the answer begins and does not end', async () => {
      const link = await linkTo((request, response) => {
        response.writeHead(202, { 'content-length': '10' }).write('{')
        setImmediate(() => request.socket.destroy())
      })
      assert.equal((await link.submit('<x/>')).kind, 'unknown')
    })
  })

  describe('reports', () => {
    it('asks for what comes after a sequence', async () => {
      const urls: unknown[] = []
      const link = await linkTo((request, response) => {
        urls.push(request.url)
        response.end('{"reports":[{"sequence":8,"xml":"<a/>"}]}')
      })
      assert.deepEqual(await link.reports(7), [{ sequence: 8, xml: '<a/>' }])
      assert.deepEqual(urls, ['/reports?after=7'])
    })

    for (const [status, body] of [
      [500, { reports: [] }],
      [200, {}],
      [200, { reports: [{ sequence: '1', xml: '' }] }],
      [200, 'no JSON'],
    ] as const) {
      it(`throws when it is answered ${status} ${JSON.stringify(body)}`, async () => {
        const link = await linkTo(answering(status, body))
        await assert.rejects(link.reports(7), {
          name: BankReportsError.name,
          message: `bank answered ${status} when asked for reports after 7`,
        })
      })
    }

    it('throws when the connection is reset', async () => {
      const link = await linkTo((request) => request.socket.destroy())
      await assert.rejects(link.reports(0), { name: BankReportsError.name })
    })
  })

  describe('query', () => {
    const payment = { endToEndId: 'P1', messageId: 'F1', currency: 'KRW', amount: '5' }

    it('gives the payment as the bank knows it, in bigint minor units', async () => {
      const body = { ...payment, status: 'booked', reference: 'E1' }
      const result = await (await linkTo(answering(200, body))).query('P1')
      assert.deepEqual(result, { kind: 'known', payment: { ...body, amount: 5n } })
    })

    it('says not known when the bank says so itself', async () => {
      const body = { ...problem, status: 404, code: 'PAYMENT_NOT_KNOWN' }
      const result = await (await linkTo(answering(404, body))).query('P1')
      assert.deepEqual(result, { kind: 'not-known' })
    })

    for (const [title, status, body] of [
      ['a 404 of something else', 404, '<html>'],
      ['a problem with another code', 404, problem],
      ['another payment', 200, { ...payment, endToEndId: 'P2', status: 'received' }],
      ['a status that is not in the list', 200, { ...payment, status: 'paid' }],
      ['a failure', 500, { ...payment, status: 'received' }],
    ] as const) {
      it(`says unknown when it is answered ${title}`, async () => {
        const result = await (await linkTo(answering(status, body))).query('P1')
        assert.equal(result.kind, 'unknown')
      })
    }

    it('says unknown when the connection is reset', async () => {
      const link = await linkTo((request) => request.socket.destroy())
      assert.equal((await link.query('P1')).kind, 'unknown')
    })
  })
})
