import assert from 'node:assert/strict'
import { HubError } from '#protocol/errors.ts'
import type { Resolve } from './target.ts'
import { createTargets } from './target.ts'

const nobody: Resolve = () => Promise.resolve([])
const answering =
  (...addresses: string[]): Resolve =>
  () =>
    Promise.resolve(addresses)

const isRefused = (error: unknown) =>
  error instanceof HubError && error.code === 'webhook_url_refused'

const remote = createTargets({ resolve: answering('1.1.1.1', '2606:4700::1111'), local: false })
const local = createTargets({ resolve: answering('127.0.0.1'), local: true })

describe('assertAllowed', () => {
  it('takes https at a name of the internet, in its normal form', async () => {
    assert.equal(
      await remote.assertAllowed('HTTPS://Example.COM:443/a/../hook?x=1'),
      'https://example.com/hook?x=1',
    )
  })

  it('takes https at port 443 and from 1024 on', async () => {
    for (const port of [443, 1_024, 8_443, 65_535]) {
      await remote.assertAllowed(`https://example.com:${port}/`)
    }
    for (const port of [0, 1, 22, 25, 80, 442, 444, 1_023]) {
      await assert.rejects(remote.assertAllowed(`https://example.com:${port}/`), isRefused)
    }
  })

  it('refuses every other protocol', async () => {
    for (const protocol of ['http', 'ftp', 'file', 'ws', 'gopher', 'data', 'javascript']) {
      await assert.rejects(remote.assertAllowed(`${protocol}://example.com/`), isRefused, protocol)
    }
  })

  it('refuses a user, a password and a fragment', async () => {
    for (const rest of ['user@example.com/', 'user:word@example.com/', 'example.com/#part']) {
      await assert.rejects(remote.assertAllowed(`https://${rest}`), isRefused, rest)
    }
  })

  it('refuses this machine and its networks in every spelling of their addresses', async () => {
    const hosts = [
      ...[
        '127.0.0.1',
        '127.1',
        '2130706433',
        '0x7f000001',
        '0177.0.0.1',
        '127.0.0.1.',
        '0',
        '0.0.0.0',
      ],
      ...['10.0.0.1', '192.168.1.1', '172.16.0.1', '100.64.0.1', '169.254.169.254', '2852039166'],
      ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:a9fe:a9fe]', '[::127.0.0.1]'],
      ...[
        '[fd00:ec2::254]',
        '[fe80::1]',
        '[64:ff9b::7f00:1]',
        '[2002:7f00:1::]',
        '１２７.０.０.１',
      ],
    ]
    for (const host of hosts) {
      await assert.rejects(remote.assertAllowed(`https://${host}/`), isRefused, host)
    }
  })

  it('refuses a name that stands for any address which is not public, or for none', async () => {
    for (const addresses of [['10.0.0.1'], ['1.1.1.1', '127.0.0.1'], ['::ffff:1.1.1.1'], []]) {
      const targets = createTargets({ resolve: answering(...addresses), local: false })
      await assert.rejects(targets.assertAllowed('https://example.com/'), isRefused)
    }
  })

  it('refuses a name that cannot be asked for', async () => {
    const resolve = () => Promise.reject(new Error('ESERVFAIL'))
    const targets = createTargets({ resolve, local: false })
    await assert.rejects(targets.assertAllowed('https://example.com/'), isRefused)
  })

  it('does not tell what a name of our own network stands for, or whether it is one', async () => {
    const told = new Set<string>()
    for (const resolve of [answering('10.0.0.1'), answering('127.0.0.1'), nobody]) {
      const { assertAllowed } = createTargets({ resolve, local: false })
      await assertAllowed('https://example.com/').catch((error: Error) => told.add(error.message))
    }
    assert.equal(told.size, 1)
  })

  describe('for local development', () => {
    it('takes this machine over http and https', async () => {
      for (const url of [
        'http://127.0.0.1:9000/',
        'https://127.0.0.1:9000/',
        'http://[::1]:9000/',
      ]) {
        assert.equal(await local.assertAllowed(url), url)
      }
      assert.equal(await local.assertAllowed('http://localhost:9000/'), 'http://localhost:9000/')
    })

    it('takes the internet over https only', async () => {
      const targets = createTargets({ resolve: answering('1.1.1.1'), local: true })
      await targets.assertAllowed('https://example.com/')
      await assert.rejects(targets.assertAllowed('http://example.com/'), isRefused)
    })

    it('refuses other private networks still', async () => {
      for (const host of ['10.0.0.1', '169.254.169.254', '[fd00::1]', '0.0.0.0']) {
        await assert.rejects(local.assertAllowed(`http://${host}:9000/`), isRefused, host)
        await assert.rejects(local.assertAllowed(`https://${host}:9000/`), isRefused, host)
      }
    })
  })
})

describe('addressesOf', () => {
  it('asks for a name each time, and refuses one that was bound to another address since', async () => {
    const answers = [['1.1.1.1'], ['127.0.0.1'], ['169.254.169.254']]
    const targets = createTargets({
      resolve: () => Promise.resolve(answers.shift() ?? []),
      local: false,
    })
    const url = new URL(await targets.assertAllowed('https://rebinding.example/'))
    await assert.rejects(targets.addressesOf(url), isRefused)
    await assert.rejects(targets.addressesOf(url), isRefused)
    await assert.rejects(targets.addressesOf(url), isRefused)
  })

  it('answers the addresses themselves, with their families', async () => {
    assert.deepEqual(await remote.addressesOf(new URL('https://example.com/')), [
      { address: '1.1.1.1', family: 4 },
      { address: '2606:4700::1111', family: 6 },
    ])
  })

  it('asks nobody about an address', async () => {
    const targets = createTargets({ resolve: nobody, local: false })
    const found = await targets.addressesOf(new URL('https://[2606:4700::1111]/'))
    assert.deepEqual(found, [{ address: '2606:4700::1111', family: 6 }])
  })
})
