// What the hub publishes of its debts, and what its creators can prove of it, against real processes (R31).

import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PrivateKeyAccount } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { proofFault, rootFault, rootsConflict } from '#protocol/audit.ts'
import type { AuditView } from '#protocol/messages/audits.ts'
import { auditList, auditView, creatorProof } from '#protocol/messages/audits.ts'
import { createJandon, createMemoryStore } from '../../client/index.ts'
import { jandon } from '../../client/testing/cli.ts'
import { changingAnswers, withValue } from '../../client/testing/network.ts'
import type { OpenChannel } from '../support/channels.ts'
import { openChannel, sendTips } from '../support/channels.ts'
import { assertAnswer, assertProblem } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { openHub, settle } from '../support/hub.ts'
import { addressOf, newCreator, randomHash, signIn, tipOf, unit } from '../support/paper.ts'
import { backUp, loseAndRestore, operate } from '../support/restore.ts'

const audit = { method: 'POST', path: '/v1/audits' }

describe('audits by the rules', function () {
  this.timeout(120_000)
  let hub: HubFixture
  let ann: PrivateKeyAccount
  let ben: PrivateKeyAccount
  let channel: OpenChannel

  before(async () => {
    hub = await openHub()
    ann = await newCreator(hub, 'ann')
    ben = await newCreator(hub, 'ben')
    channel = await openChannel(hub)
  })
  after(() => hub?.close())

  const trusted = () => ({ hub: hub.info, receiptSigner: hub.info.receiptSigner })

  async function takeAudit(): Promise<AuditView> {
    const answer = await hub.call({ ...audit, token: hub.world.operatorToken })
    return auditView.parse(assertAnswer(answer, 201))
  }

  async function proofOf(handle: string, by: PrivateKeyAccount) {
    const token = await signIn(hub, by)
    const answer = await hub.call({ path: `/v1/creators/${handle}/proof`, token })
    const { proofs } = creatorProof.parse(assertAnswer(answer, 200))
    const [proof] = proofs
    assert.ok(proof)
    return proof
  }

  async function publishedAudits(query = '') {
    return auditList.parse(assertAnswer(await hub.call({ path: `/v1/audits${query}` }), 200))
  }

  describe('GET /v1/creators/:handle/proof', () => {
    it('says not_audited before there is an audit, and to who joined after it (R31)', async () => {
      const path = '/v1/creators/ann/proof'
      const token = await signIn(hub, ann)
      assertProblem(await hub.call({ path, token }), 'not_audited')
      await takeAudit()
      const late = await newCreator(hub, 'late')
      const asked = { path: '/v1/creators/late/proof', token: await signIn(hub, late) }
      assertProblem(await hub.call(asked), 'not_audited')
      assertAnswer(await hub.call({ path, token }), 200)
      await takeAudit()
      assertAnswer(await hub.call(asked), 200)
    })

    it('proves what is owed and what is in the vault, to the unit, for one who is owed nothing too (R31)', async () => {
      assertAnswer(await sendTips(hub, channel, [tipOf(ann, 2n * unit), tipOf(ben, 100n)]), 200)
      assertAnswer(await settle(hub), 202)
      assertAnswer(await sendTips(hub, channel, [tipOf(ann, 1_000n)]), 200)
      const { verdict, tokens } = await takeAudit()
      assert.equal(verdict, 'equal')
      const [counted] = tokens
      assert.ok(counted)
      assert.equal(counted.signed.total, 2n * unit + 1_100n)
      assert.equal(counted.reserves, counted.signed.total)
      const proof = await proofOf('ann', ann)
      assert.equal(await proofFault(proof, trusted()), undefined)
      assert.deepEqual(
        { ...proof.leaf, index: 0, salt: 0 },
        { account: addressOf(ann), owed: 990n, yours: 1_980_000n, index: 0, salt: 0 },
      )
      const [late] = creatorProof.parse(
        assertAnswer(
          await hub.call({ path: '/v1/creators/late/proof', token: hub.world.operatorToken }),
          200,
        ),
      ).proofs
      assert.ok(late)
      assert.equal(late.leaf.owed + late.leaf.yours, 0n)
      assert.equal(await proofFault(late, trusted()), undefined)
      assert.deepEqual(late.root, proof.root)
    })

    it('tells nobody a name or an account of others (R31)', async () => {
      const token = await signIn(hub, ann)
      const { text } = await hub.call({ path: '/v1/creators/ann/proof', token })
      for (const other of [addressOf(ben), hub.info.feeAccount, 'ben', 'late'])
        assert.ok(!text.includes(other), other)
      assertProblem(await hub.call({ path: '/v1/creators/ben/proof', token }), 'not_yours')
    })

    it('salts and orders every audit anew, so that two of the same amounts have nothing in common (R31)', async () => {
      const before = await proofOf('ann', ann)
      await takeAudit()
      const after = await proofOf('ann', ann)
      assert.equal(after.leaf.owed, before.leaf.owed)
      assert.notEqual(after.leaf.salt, before.leaf.salt)
      assert.notEqual(after.root.root, before.root.root)
      const known = new Set(before.path.map(({ hash }) => hash))
      for (const { hash } of after.path) assert.ok(!known.has(hash))
    })

    it('proves the same after the hub was killed and started again (R31)', async () => {
      const before = await proofOf('ann', ann)
      await hub.world.hub.kill()
      await hub.world.restartHub()
      assert.deepEqual(await proofOf('ann', ann), before)
    })
  })

  describe('POST /v1/audits', () => {
    it('is for the operator alone', async () => {
      assertProblem(await hub.call({ ...audit, token: randomHash() }), 'operator_required')
      assertProblem(await hub.call(audit), 'session_required')
    })

    it('makes one audit for all who ask at once, and never two for one group (R31)', async () => {
      const answers = await Promise.all(Array.from({ length: 5 }, takeAudit))
      assert.equal(new Set(answers.map(({ group }) => group)).size, 1)
      const next = await takeAudit()
      assert.ok(next.group > (answers[0]?.group ?? next.group))
      const roots = (await publishedAudits('?limit=100')).audits.flatMap(({ tokens }) => tokens)
      for (const { signed: one } of roots)
        for (const { signed: other } of roots) assert.equal(rootsConflict(one, other), false)
    })

    it('says unknown and no reserves while the chain does not answer, and signs what is owed all the same (R14, R31)', async () => {
      await hub.world.hub.stop()
      await hub.world.restartHub({ JANDON_RPC_URL: 'http://127.0.0.1:9' })
      const { verdict, tokens, lines } = await takeAudit()
      assert.equal(verdict, 'unknown')
      assert.deepEqual(lines, [])
      assert.equal(tokens[0]?.reserves, null)
      assert.equal(tokens[0]?.signed.total, 2n * unit + 1_100n)
      await hub.world.hub.stop()
      await hub.world.restartHub()
      assert.equal((await takeAudit()).verdict, 'equal')
    })
  })

  describe('GET /v1/audits', () => {
    it('lists every audit to anyone, newest first, each root signed, page by page (R31)', async () => {
      const { audits, next } = await publishedAudits('?limit=100')
      assert.equal(next, null)
      const groups = audits.map(({ group }) => group)
      assert.deepEqual(
        groups,
        groups.toSorted((a, b) => (a < b ? 1 : -1)),
      )
      for (const { tokens } of audits)
        for (const { signed } of tokens) assert.equal(await rootFault(signed, trusted()), undefined)
      const paged: bigint[] = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page = await publishedAudits(`?limit=2${cursor && `&cursor=${cursor}`}`)
        paged.push(...page.audits.map(({ group }) => group))
        cursor = page.next
      }
      assert.deepEqual(paged, groups)
    })

    it('refuses a cursor that is no group, and a limit that is no number', async () => {
      for (const query of [
        'cursor=x',
        'cursor=-1',
        `cursor=${'9'.repeat(40)}`,
        'limit=0',
        'limit=1e3',
      ])
        assertProblem(await hub.call({ path: `/v1/audits?${query}` }), 'invalid_request')
    })

    it('tells no secret that salts follow from (R31)', async () => {
      const { text } = await hub.call({ path: '/v1/audits?limit=100' })
      assert.doesNotMatch(text, /secret/)
    })
  })

  describe('jandon audit', () => {
    it('prints what is owed and what there is, and writes the signed roots (R31)', async () => {
      const out = join(hub.world.folder, 'audit.json')
      const { code, json, stderr } = await operate(hub, 'audit', '--out', out)
      assert.equal(code, 0, stderr)
      const [newest] = (await publishedAudits()).audits
      assert.deepEqual(auditView.parse(json['audit']), newest)
      assert.deepEqual(auditView.parse(JSON.parse(await readFile(out, 'utf8'))), newest)
      const { stdout } = await run(['audit'])
      assert.match(stdout, /2\.0011 JTD owed to \d+ accounts, 2\.0011 JTD there: equal/)
      assert.match(stdout, /root 0x[0-9a-f]{64}/)
    })

    it('writes a creator’s proof, which jandon verify accepts offline and refuses when it was changed (R31)', async () => {
      const file = join(hub.world.folder, 'ann.proof')
      const { code, stderr } = await operate(hub, 'audit', '--proof', 'ann', '--out', file)
      assert.equal(code, 0, stderr)
      const environment = { JANDON_KEY: randomHash(), JANDON_HUB: hub.world.hub.url }
      const home = join(hub.world.folder, 'home')
      const verify = (path: string) =>
        jandon(['verify', path, '--home', home], { folder: hub.world.folder, environment })
      const good = await verify(file)
      assert.equal(good.code, 0, good.stderr)
      assert.match(good.stdout, /counts.*ann/i)
      assert.match(good.stdout, /0\.00099 JTD/)
      const spoiled = JSON.parse(await readFile(file, 'utf8')) as {
        proofs: { leaf: { owed: string } }[]
      }
      for (const { leaf } of spoiled.proofs) leaf.owed = '1'
      await writeFile(file, JSON.stringify(spoiled))
      const bad = await verify(file)
      assert.equal(bad.code, 1)
      assert.match(bad.stdout + bad.stderr, /does not lead to the root/)
    })

    it('ends with 3 when the hub cannot be reached, and with 2 on wrong usage', async () => {
      const gone = await run(['audit', '--hub', 'http://127.0.0.1:9'])
      assert.equal(gone.code, 3)
      assert.equal((await run(['audit', 'ann', 'more'])).code, 2)
      assert.match((await run(['audit', '--help'])).stdout, /jandon audit/)
    })
  })

  describe('jandon proof', () => {
    it('fetches, checks and keeps the creator’s own proof, and compares the root with the list (R31)', async () => {
      const out = join(hub.world.folder, 'own.proof')
      const key = join(hub.world.folder, 'ben.key')
      const ben2 = await newKeyFile(key)
      const args = ['--key-file', key, '--home', join(hub.world.folder, 'ben')]
      const environment = { JANDON_HUB: hub.world.hub.url }
      const cli = (more: string[]) =>
        jandon([...more, ...args], { folder: hub.world.folder, environment })
      assert.equal((await cli(['register', 'ben2'])).code, 0)
      const early = await cli(['proof', '--out', out])
      assert.equal(early.code, 1)
      await takeAudit()
      const { code, stdout, stderr } = await cli(['proof', '--out', out])
      assert.equal(code, 0, stderr)
      assert.match(stdout, /counts/i)
      const kept = creatorProof.parse(JSON.parse(await readFile(out, 'utf8')))
      assert.equal(kept.creator.account, ben2)
    })
  })

  describe('proof of the SDK, at a hub that cheats', () => {
    const cheatedBy = (path: RegExp, place: (number | string)[], value: unknown) =>
      createJandon({
        hubUrl: hub.world.hub.url,
        account: ann,
        store: createMemoryStore(),
        fetch: changingAnswers(path, ({ status, body }) => ({
          status,
          body: withValue(body, place, value),
        })),
      }).proof('ann')
    const list = /^GET \/v1\/audits$/
    const proof = /\/proof$/
    before(async () => {
      await takeAudit()
    })

    it('finds another root for the same group in the list that all see (R31)', async () => {
      const place = ['audits', 0, 'tokens', 0, 'signed', 'root']
      const { fault } = await cheatedBy(list, place, randomHash())
      assert.match(fault ?? '', /signed two roots for group \d+: keep both/)
    })

    it('finds a root that the list does not show (R31)', async () => {
      const { fault } = await cheatedBy(list, ['audits'], [])
      assert.match(fault ?? '', /is not among the newest that the hub lists/)
    })

    it('finds the proof of somebody else, and one of nothing (R31)', async () => {
      const other = await cheatedBy(proof, ['creator', 'account'], addressOf(ben))
      assert.match(other.fault ?? '', /the proof is of 0x[0-9a-f]{40}, not of/)
      const nothing = await cheatedBy(proof, ['proofs'], [])
      assert.match(nothing.fault ?? '', /it proves nothing/)
    })

    it('finds an amount that is not the leaf’s (R31)', async () => {
      const { fault } = await cheatedBy(proof, ['proofs', 0, 'leaf', 'owed'], '1')
      assert.match(fault ?? '', /does not lead to the root/)
    })
  })

  describe('a backup', () => {
    it('holds the audits: a restored hub lists the same, and proves from the newest (R22, R31)', async () => {
      const { audits } = await publishedAudits('?limit=100')
      const file = await backUp(hub)
      assert.equal((await operate(hub, 'backup', 'verify', file)).code, 0)
      const proof = await proofOf('ann', ann)
      await loseAndRestore(hub, file)
      assert.deepEqual((await publishedAudits('?limit=100')).audits, audits)
      assert.deepEqual(await proofOf('ann', ann), proof)
    })
  })

  function run(args: string[]) {
    const environment = {
      JANDON_HUB: hub.world.hub.url,
      JANDON_OPERATOR_TOKEN: hub.world.operatorToken,
    }
    return jandon(args, { folder: hub.world.folder, environment })
  }
})

/** A wallet's key in a file; answers its address. */
async function newKeyFile(path: string) {
  const key = generatePrivateKey()
  await writeFile(path, key, { mode: 0o600 })
  return privateKeyToAddress(key).toLowerCase()
}
