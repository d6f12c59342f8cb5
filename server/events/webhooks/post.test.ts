import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Outcome, Post } from './post.ts'
import { createPost } from './post.ts'
import type { Resolve } from './target.ts'
import { createTargets } from './target.ts'

const timeoutMs = 150

describe('send', () => {
  const servers: Server[] = []
  const posts: Post[] = []

  afterEach(() => {
    for (const post of posts.splice(0)) post.close()
    for (const server of servers.splice(0)) server.close().closeAllConnections()
  })

  async function serve(listener: RequestListener): Promise<number> {
    const server = createServer(listener)
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  function newPost({ local = true, resolve }: { local?: boolean; resolve?: Resolve } = {}): Post {
    const targets = createTargets({ resolve: resolve ?? (() => Promise.resolve([])), local })
    const post = createPost({ targets, timeoutMs })
    posts.push(post)
    return post
  }

  function send(url: string, post = newPost()): Promise<Outcome> {
    const headers = { 'content-type': 'application/json', 'webhook-id': '7' }
    const { signal } = new AbortController()
    return post.send({ url, headers, body: '{"a":"₩"}', signal })
  }

  it('posts the body with its headers and answers the status', async () => {
    const seen: unknown[] = []
    const port = await serve(async (request, response) => {
      const { method, url, headers } = request
      const chunks = await request.setEncoding('utf8').toArray()
      seen.push(method, url, headers['webhook-id'], headers['content-length'], chunks.join(''))
      response.writeHead(201).end('thanks')
    })
    assert.deepEqual(await send(`http://127.0.0.1:${port}/hook?a=1`), { status: 201 })
    assert.deepEqual(seen, ['POST', '/hook?a=1', '7', '11', '{"a":"₩"}'])
  })

  it('answers a redirect as it is and does not follow it', async () => {
    let elsewhere = 0
    const other = await serve((_request, response) => {
      elsewhere += 1
      response.end()
    })
    for (const status of [301, 302, 303, 307, 308]) {
      const location = `http://127.0.0.1:${other}/`
      const port = await serve((_request, response) =>
        response.writeHead(status, { location }).end(),
      )
      assert.deepEqual(await send(`http://127.0.0.1:${port}/`), { status })
    }
    assert.equal(elsewhere, 0)
  })

  it('gives up when there is no answer in time', async () => {
    const port = await serve(() => undefined)
    const outcome = await send(`http://127.0.0.1:${port}/`)
    assert.deepEqual(outcome, { failure: `no answer within ${timeoutMs} ms` })
  })

  it('gives up when the name is not found in time', async () => {
    const post = newPost({ resolve: () => new Promise(() => undefined) })
    const outcome = await send('https://slow.example/', post)
    assert.deepEqual(outcome, { failure: `no answer within ${timeoutMs} ms` })
  })

  it('takes the status of an answer that never ends', async () => {
    const port = await serve((_request, response) => response.writeHead(200).write('…'))
    assert.deepEqual(await send(`http://127.0.0.1:${port}/`), { status: 200 })
  })

  it('reads no more than a little of an answer', async () => {
    const sent = { bytes: 0 }
    const port = await serve((_request, response) => {
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent.bytes += 65_536
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    })
    assert.deepEqual(await send(`http://127.0.0.1:${port}/`), { status: 200 })
    assert.ok(sent.bytes < 16 * 1_024 * 1_024, `${sent.bytes} bytes were taken`)
  })

  it('says why there was no connection, and nothing of what was answered', async () => {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    assert.deepEqual(await send(`http://127.0.0.1:${port}/`), { failure: 'ECONNREFUSED' })
    const talking = await serve((request) => request.socket.end('SSH-2.0-secret\r\n'))
    assert.deepEqual(await send(`http://127.0.0.1:${talking}/`), {
      failure: 'HPE_INVALID_CONSTANT',
    })
  })

  it('does not connect to a name that was bound to this machine since it was registered', async () => {
    let connections = 0
    const port = await serve((_request, response) => response.end())
    servers[0]?.on('connection', () => {
      connections += 1
    })
    const answers = [['1.1.1.1'], ['127.0.0.1']]
    const resolve = () => Promise.resolve(answers.shift() ?? ['127.0.0.1'])
    const targets = createTargets({ resolve, local: false })
    const url = await targets.assertAllowed(`https://rebinding.example:${port}/`)
    const post = createPost({ targets, timeoutMs })
    posts.push(post)
    const outcome = await send(url, post)
    assert.match(
      (outcome as { failure: string }).failure,
      /does not lead to addresses on the internet/,
    )
    assert.equal(connections, 0)
  })

  it('connects to the address that was checked, and asks for the name once', async () => {
    let asked = 0
    const resolve = () => {
      asked += 1
      return Promise.resolve(asked === 1 ? ['127.0.0.1'] : ['127.0.0.2'])
    }
    const port = await serve((request, response) =>
      response.writeHead(request.socket.localAddress === '127.0.0.1' ? 200 : 500).end(),
    )
    const post = newPost({ resolve })
    assert.deepEqual(await send(`http://machine.example:${port}/`, post), { status: 200 })
    assert.equal(asked, 1)
  })

  it('does not connect to an address by number either', async () => {
    const post = newPost({ local: false })
    for (const host of ['127.0.0.1', '[::1]', '169.254.169.254', '[::ffff:127.0.0.1]']) {
      const outcome = await send(`https://${host}:9/`, post)
      assert.match(
        (outcome as { failure: string }).failure,
        /does not lead to addresses on the internet/,
      )
    }
  })

  it('makes a request again that met a kept connection in the moment of its end', async () => {
    let requests = 0
    const port = await serve((request, response) => {
      requests += 1
      if (requests === 2) request.socket.resetAndDestroy()
      else response.end()
    })
    const post = newPost()
    assert.deepEqual(await send(`http://127.0.0.1:${port}/`, post), { status: 200 })
    assert.deepEqual(await send(`http://127.0.0.1:${port}/`, post), { status: 200 })
    assert.equal(requests, 3)
  })

  it('ends at once when it is told to', async () => {
    const port = await serve(() => ending.abort())
    const ending = new AbortController()
    const url = `http://127.0.0.1:${port}/`
    const outcome = await newPost().send({ url, headers: {}, body: '', signal: ending.signal })
    assert.ok('failure' in outcome)
  })
})
