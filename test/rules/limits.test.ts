// What one connection, one address and one reader may ask for: whoever asks for more hears why, or is gone, and the others
// notice nothing.

import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import type { PrivateKeyAccount } from 'viem'
import { WebSocket } from 'ws'
import { messageRef } from '#protocol/tip.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import { listen } from '../support/events.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub } from '../support/hub.ts'
import { newCreator, randomHash, signIn, tipOf } from '../support/paper.ts'
import { openSocket } from '../support/socket.ts'

const places = 12
const perAddress = 5

let hub: HubFixture
let busker: PrivateKeyAccount
let channel: OpenChannel
const open: Socket[] = []

describe('limits', () => {
  before(async () => {
    hub = await openHub({
      hubSettings: {
        JANDON_CONNECTIONS: String(places),
        JANDON_CONNECTIONS_PER_ADDRESS: String(perAddress),
        JANDON_HEADERS_MS: '400',
        JANDON_REQUEST_MS: '800',
      },
    })
    busker = await newCreator(hub, 'busker')
    channel = await openChannel(hub)
  })
  afterEach(() => {
    for (const socket of open.splice(0)) socket.destroy()
  })
  after(() => hub?.close())

  /** A connection from another address of this machine, and all that it hears until it ends. */
  function dial(localAddress: string, text = ''): { socket: Socket; heard: Promise<string> } {
    const { port } = new URL(hub.world.hub.url)
    const socket = connect({ host: '127.0.0.1', port: Number(port), localAddress })
    open.push(socket)
    socket.on('error', () => undefined)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    const heard = new Promise<string>((resolve) =>
      socket.on('close', () => resolve(Buffer.concat(chunks).toString())),
    )
    if (text !== '') socket.write(text)
    return { socket, heard }
  }

  function assertHeardProblem(heard: string, code: Parameters<typeof assertProblem>[1]) {
    const [head = '', text = ''] = heard.split('\r\n\r\n')
    const [line = '', ...lines] = head.split('\r\n')
    const headers = Object.fromEntries(lines.map((each) => each.toLowerCase().split(': ')))
    const body = JSON.parse(text) as { [name: string]: unknown }
    assertProblem({ status: Number(line.split(' ')[1]), headers, text, body }, code)
    return headers as { [name: string]: string }
  }

  describe('a request that is not HTTP', () => {
    it('is answered with malformed_http', async () => {
      for (const text of ['NONSENSE\r\n\r\n', 'GET / HTTP/1.1\r\nbad header\r\n\r\n'])
        assertHeardProblem(await dial('127.0.0.2', text).heard, 'malformed_http')
    })

    it('is answered with headers_too_large when its headers are', async () => {
      const text = `GET / HTTP/1.1\r\nhost: hub\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`
      assertHeardProblem(await dial('127.0.0.2', text).heard, 'headers_too_large')
    })
  })

  describe('a sender who is slow', () => {
    it('hears request_timeout when the headers do not come', async () => {
      const begun = 'POST /v1/tips HTTP/1.1\r\nhost: hub\r\n'
      assertHeardProblem(await dial('127.0.0.2', begun).heard, 'request_timeout')
      assertHeardProblem(await dial('127.0.0.2').heard, 'request_timeout')
    })

    it('is gone when the body does not come', async () => {
      const begun =
        'POST /v1/tips HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{'
      await dial('127.0.0.2', begun).heard
    })
  })

  describe('connections', () => {
    const held = 'GET /'

    it('above the limit of an address are answered with too_many_requests', async () => {
      for (let count = 0; count < perAddress; count += 1) dial('127.0.0.3', held)
      const heard = await dial('127.0.0.3').heard
      const headers = assertHeardProblem(heard, 'too_many_requests')
      assert.equal(headers['retry-after'], '1')
      assertAnswer(await hub.call({ path: '/healthz' }), 200)
    })

    it('above the limit in all take the place of those that asked for nothing yet, oldest first', async () => {
      const first = dial('127.0.0.4', held)
      for (let count = 1; count < places; count += 1)
        dial(`127.0.0.${4 + Math.floor(count / perAddress)}`, held)
      assertAnswer(await hub.call({ path: '/healthz' }), 200)
      assert.equal(await first.heard, '')
    })

    it('with more unanswered requests than may be are ended', async () => {
      const token = await signIn(hub, busker)
      const path = `GET /v1/events HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer ${token}\r\n\r\n`
      const heard = await dial('127.0.0.7', path.repeat(40)).heard
      assert.ok((heard.match(/HTTP\/1\.1 200/g)?.length ?? 0) <= 1)
    })
  })

  describe('a reader who is slow', () => {
    const metric = async (name: string) => {
      const { text } = await hub.call({ path: '/metrics' })
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
    }

    it('is dropped, over an event stream and over a WebSocket, and who reads gets everything', async () => {
      const token = await signIn(hub, busker)
      const reader = await listen(hub, token)
      const request = `GET /v1/events HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer ${token}\r\n\r\n`
      dial('127.0.0.8', request).socket.pause()
      const socket = await openSocket(hub)
      socket.send(JSON.stringify({ type: 'sign-in', token }))
      await socket.until(({ type }) => type === 'signed-in')
      socket.send('{"type":"follow"}')
      socket.pause()
      await eventually(
        () => metric('jandon_listeners'),
        (count) => count === 3,
      )
      const refs: string[] = []
      const isGone = async () => (await metric('jandon_listeners')) === 1
      for (let baskets = 0; baskets < 200 && !(await isGone()); baskets += 1) {
        const tips = Array.from({ length: 256 }, longTip)
        refs.push(...tips.map(({ ref }) => ref))
        assertAnswer(await sendTips(hub, channel, tips), 200)
      }
      assert.ok(await isGone(), 'the slow ones are still there')
      await reader.until((seen) => seen.length === refs.length)
      assert.deepEqual(
        reader.seen.map(({ data }) => data['ref']),
        refs,
      )
      reader.close()
    })

    function longTip() {
      const message = { salt: randomHash(), text: 'x'.repeat(280) }
      return { ...tipOf(busker, 1n), ref: messageRef(message), message }
    }
  })

  describe('a WebSocket', () => {
    for (const [what, flood] of [
      ['pings', (line: WebSocket) => line.ping()],
      ['text that is no JSON', (line: WebSocket) => line.send('{')],
    ] as const) {
      it(`that floods the hub with ${what} is ended with 1008, and its address waits`, async () => {
        const url = `${hub.world.hub.url.replace('http', 'ws')}/v1/socket`
        const localAddress = what === 'pings' ? '127.0.0.9' : '127.0.0.10'
        const line = new WebSocket(url, { localAddress })
        const code = new Promise((resolve) => line.on('close', resolve))
        line.on('open', () => {
          for (let count = 0; count < 1_000; count += 1) flood(line)
        })
        assert.equal(await code, 1008)
        const again = new WebSocket(url, { localAddress })
        const status = await new Promise((resolve) =>
          again.on('unexpected-response', (_request, response) => {
            response.resume()
            resolve(response.statusCode)
          }),
        )
        assert.equal(status, 429)
      })
    }
  })

  describe('what was refused', () => {
    it('leaves no trace in what the hub prints', () => {
      assert.equal(hub.world.hub.complaints(), '')
    })
  })
})
