// A creator's webhooks from the SDK and the command line: added, told, mended, replayed, removed.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import type { PrivateKeyAccount } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { createJandon, createMemoryStore, HubError } from '#client/index.ts'
import type { Run } from '#client/testing/cli.ts'
import { jandon } from '#client/testing/cli.ts'
import type { Receiver } from '#server/testing/receivers.ts'
import { refsOf, signatureHeaders, startReceiver } from '#server/testing/receivers.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import { assertAnswer } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { eventually, openHub } from '../support/hub.ts'
import { signRegistration, tipOf } from '../support/paper.ts'

describe('webhooks from the client', () => {
  const key = generatePrivateKey()
  const busker: PrivateKeyAccount = privateKeyToAccount(key)
  let hub: HubFixture
  let channel: OpenChannel
  let receiver: Receiver
  let folder: string

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jandon-webhooks-'))
    hub = await openHub({
      hubSettings: { JANDON_WEBHOOK_ATTEMPTS: '1', JANDON_WEBHOOK_TIMEOUT_MS: '60000' },
    })
    const body = await signRegistration(hub, busker, { handle: 'busker' })
    assertAnswer(await hub.call({ path: '/v1/creators', body }), 201)
    channel = await openChannel(hub)
  })

  beforeEach(async () => {
    receiver = await startReceiver()
  })

  afterEach(() => receiver.close())

  after(async () => {
    await hub?.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function tip(): Promise<string> {
    const order = tipOf(busker, 5n)
    assertAnswer(await sendTips(hub, channel, [order]), 200)
    return order.ref
  }

  describe('jandon.webhooks', () => {
    it('adds one, learns what was given up, has it told again, and removes it', async () => {
      const { webhooks } = createJandon({
        hubUrl: hub.world.hub.url,
        account: busker,
        store: createMemoryStore(),
      })
      receiver.answer(() => 500)
      const { webhook, secret } = await webhooks.add({ url: receiver.url, events: ['tip'] })
      const { webhookId } = webhook
      const refs = [await tip(), await tip()]
      await receiver.until((seen) => seen.length === 2)
      const outcome = await webhooks.test(webhookId)
      assert.deepEqual(outcome, { delivered: false, status: 500, failure: null })
      const first = await eventually(
        () => webhooks.dead(webhookId, { limit: 1 }),
        ({ next }) => next !== null,
      )
      assert.ok(first.next)
      const second = await webhooks.dead(webhookId, { cursor: first.next })
      const ids = [...first.dead, ...second.dead].map(({ eventId }) => eventId)
      assert.deepEqual(ids, [receiver.seen[0]?.id, receiver.seen[1]?.id])
      assert.equal((await webhooks.attempts(webhookId)).length, 3)
      receiver.answer(() => 204)
      const { secret: next } = await webhooks.rotate(webhookId)
      assert.notEqual(next, secret)
      await webhooks.replay(webhookId, { from: ids[0] ?? '', to: ids[1] })
      await receiver.until((seen) => seen.length === 5)
      const again = receiver.seen.slice(3)
      assert.deepEqual(refsOf(again), refs)
      for (const received of again) {
        for (const each of [secret, next]) {
          new Webhook(each).verify(received.body, signatureHeaders(received))
        }
      }
      await webhooks.remove(webhookId)
      assert.deepEqual(await webhooks.list(), [])
      await assert.rejects(
        webhooks.test(webhookId),
        (error) => error instanceof HubError && error.code === 'unknown_webhook',
      )
    })
  })

  describe('jandon webhooks', () => {
    it('adds, lists, tests, rotates, shows what was given up, replays and removes', async () => {
      const added = await done('add', receiver.url, '--events', 'tip,credited')
      const { webhookId } = added.webhook
      assert.deepEqual(added.webhook.events, ['tip', 'credited'])
      const id = webhookId.slice(0, 10)
      assert.equal((await done('list')).webhooks.length, 1)
      assert.equal((await done('test', id)).delivered, true)
      assert.notEqual((await done('rotate', id)).secret, added.secret)
      receiver.answer(() => 500)
      const ref = await tip()
      await receiver.until((seen) => refsOf(seen).includes(ref))
      const failed = await run('test', id, '--json')
      assert.deepEqual([failed.code, oneLine(failed).status], [1, 500])
      const { dead } = await done('dead', id)
      assert.equal(dead.length, 1)
      receiver.answer(() => 204)
      await done('replay', id, dead[0].eventId)
      await receiver.until((seen) => refsOf(seen).filter((each) => each === ref).length === 2)
      assert.equal((await done('remove', id)).webhookId, webhookId)
      assert.deepEqual((await done('list')).webhooks, [])
    })

    it('speaks to people, and shows the secret', async () => {
      const { code, stdout } = await run('add', receiver.url)
      assert.equal(code, 0)
      assert.match(
        stdout,
        /is told of tip, channel, credited, refund, payout\n.*\n *secret +whsec_/,
      )
      assert.match((await run('list')).stdout, /works/)
    })

    it('is wrong usage with an unknown type of event, or an id of none', async () => {
      assert.equal((await run('add', receiver.url, '--events', 'tips')).code, 2)
      assert.equal((await run('test', '0xnone')).code, 2)
    })

    it('passes refusals on with 1, and says what to do', async () => {
      const refused = await run('add', 'https://10.0.0.1/')
      assert.equal(refused.code, 1)
      assert.match(refused.stderr, /10\.0\.0\.1\/ cannot be a webhook/)
      assert.match(refused.stderr, /Use https/)
    })
  })

  function run(...args: string[]): Promise<Run> {
    const environment = { JANDON_HUB: hub.world.hub.url, JANDON_KEY: key, HOME: folder }
    return jandon(['webhooks', ...args, '--home', join(folder, 'wallet')], { folder, environment })
  }

  /** Runs a command that has to be done, and answers its line of JSON. */
  async function done(...args: string[]) {
    const ran = await run(...args, '--json')
    assert.equal(ran.code, 0, `webhooks ${args.join(' ')}: ${ran.stdout}${ran.stderr}`)
    return oneLine(ran)
  }
})

function oneLine({ stdout }: Run) {
  assert.match(stdout, /^[^\n]+\n$/)
  return JSON.parse(stdout)
}
