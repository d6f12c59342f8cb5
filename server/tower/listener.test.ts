// A hub's line and a tower's listener over real HTTP, with a store on disk.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address, Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { channelId, channelsDomainSeparator } from '#protocol/channel.ts'
import { lowerCase } from '#protocol/signature.ts'
import { createTickChain, tickCommitmentDigest } from '#protocol/tick.ts'
import { tipVoucherDigest } from '#protocol/tip.ts'
import type { TicksProof } from '../channels/channel.ts'
import { createDigestSigner, createSignatureBackend } from '../channels/signature-backend.ts'
import { randomHash } from '../testing/disk.ts'
import type { TowerLine } from './line.ts'
import { createTowerLine } from './line.ts'
import { createTowerListener } from './listener.ts'
import type { TowerRow } from './row.ts'
import { rowsPerMessage } from './row.ts'
import { nonceHeader, sealHeader, sealOf } from './seal.ts'
import type { TowerStore } from './store.ts'
import { openTowerStore } from './store.ts'

const secret = 's'.repeat(32)
const chainId = 31_337
const vault: Address = `0x${'aa'.repeat(20)}`
const hubAccount: Address = `0x${'bb'.repeat(20)}`
const contract: Address = `0x${'cc'.repeat(20)}`
const separator = channelsDomainSeparator({ chainId, address: contract })

type Changes = Partial<TowerRow> & { by?: Hex; receiver?: Address; authorizer?: Address }

/** A row of a channel of its own, charged `charged` under a voucher over 100. */
function signedRow(charged: bigint, { by, receiver, authorizer, ...changes }: Changes = {}) {
  const key = randomHash()
  const payer = lowerCase(privateKeyToAccount(key).address)
  const config = {
    payer,
    payerAuthorizer: payer,
    receiver: receiver ?? vault,
    receiverAuthorizer: authorizer ?? hubAccount,
    token: contract,
    withdrawDelay: 86_400,
    salt: randomHash(),
  }
  const id = channelId(config, separator)
  const voucher = { channelId: id, maxClaimableAmount: 100n, tipsHash: randomHash() }
  const sign = createDigestSigner(by ?? key)
  const signature = sign(tipVoucherDigest(voucher, separator))
  const { maxClaimableAmount, tipsHash } = voucher
  const proof = { kind: 'voucher' as const, maxClaimableAmount, tipsHash, signature }
  const row: TowerRow = { config, charged, proof, stream: null, ...changes }
  return { id, row, sign }
}

/** Ticks of 10 each from 100 on a channel. */
function ticksOn({ id, sign }: Pick<ReturnType<typeof signedRow>, 'id' | 'sign'>, ticks: number) {
  const base = { channelId: id, baseAmount: 100n, maxTicks: 50 }
  const chain = createTickChain(randomHash(), base)
  const commitment = { ...base, to: randomHash(), tickAmount: 10n, root: chain.root }
  const proof: TicksProof = {
    kind: 'ticks',
    maxClaimableAmount: 100n + 10n * BigInt(ticks),
    commitment,
    signature: sign(tickCommitmentDigest(commitment, separator)),
    ticks,
    preimage: chain.preimage(ticks),
  }
  return proof
}

describe('a tower and its hub', () => {
  let folder: string
  let store: TowerStore
  let server: Server
  let url: string
  let line: TowerLine
  const created: Hex[] = []

  const open = () =>
    openTowerStore(folder, {
      chainId,
      hubAccount,
      newId: () => `0x${randomBytes(32).toString('hex')}`,
    })

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jandon-tower-'))
    store = await open()
    const backend = createSignatureBackend()
    const listener = createTowerListener({
      store,
      watched: { vault, hubAccount, separator, backend },
      secret,
      onRows: (ids) => created.push(...ids),
      health: () => ({ ready: true }),
      logFailure(_what, cause) {
        throw cause
      },
    })
    server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    line = lineWith(secret)
  })
  after(async () => {
    server.closeAllConnections()
    server.close()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })

  const lineWith = (own: string) =>
    createTowerLine({ url, secret: own, timeoutMs: 5_000, randomBytes })

  async function allRows(): Promise<TowerRow[]> {
    const rows: TowerRow[] = []
    let after: string | null = null
    do {
      const page: Awaited<ReturnType<TowerLine['rows']>> = await line.rows(after)
      rows.push(...page.rows)
      after = page.next
    } while (after !== null)
    return rows
  }

  it('gives back what it was told, and says which channels are new', async () => {
    const { id, row } = signedRow(60n)
    assert.deepEqual(await line.feed([row]), { storeId: store.storeId, refused: [] })
    await line.feed([row])
    assert.deepEqual(created, [id])
    assert.deepEqual(await allRows(), [row])
  })

  it('gives all rows once, over as many messages as it takes', async () => {
    const many = Array.from({ length: rowsPerMessage + 5 }, () => signedRow(1n).row)
    await line.feed(many.slice(0, rowsPerMessage))
    await line.feed(many.slice(rowsPerMessage))
    const salts = (await allRows()).map(({ config }) => config.salt)
    assert.equal(new Set(salts).size, salts.length)
    for (const { config } of many) assert.ok(salts.includes(config.salt))
  })

  it('keeps a proof with the v that the contract takes', async () => {
    const { id, row } = signedRow(60n)
    assert.ok(row.proof)
    const v = row.proof.signature.endsWith('1b') ? '1c' : '1b'
    const other: Hex = `0x${row.proof.signature.slice(2, -2)}${v}`
    const told = { ...row, proof: { ...row.proof, signature: other } }
    assert.deepEqual((await line.feed([told])).refused, [])
    assert.equal(store.get(id)?.proof?.signature, row.proof.signature)
  })

  it('takes no row that its payer did not sign or that is of another hub, and all others of the message (R30)', async () => {
    const good = signedRow(60n)
    const ticking = signedRow(60n)
    const ticks = ticksOn(ticking, 5)
    const withStream = (stream: TicksProof) => ({ ...ticking.row, stream })
    const bad: { [why: string]: TowerRow } = {
      'signed by somebody else': signedRow(60n, { by: randomHash() }).row,
      'charged above its proof': signedRow(101n).row,
      'charged without a proof': signedRow(60n, { proof: null }).row,
      'of another vault': signedRow(60n, { receiver: contract }).row,
      'of another hub account': signedRow(60n, { authorizer: contract }).row,
      'with more ticks than paid': withStream({ ...ticks, ticks: 6 }),
      'with more worth than ticked': withStream({ ...ticks, maxClaimableAmount: 160n }),
      'with another channel’s ticks': withStream(ticksOn(good, 5)),
      'with a preimage of nothing': withStream({ ...ticks, preimage: randomHash() }),
    }
    const { refused } = await line.feed([...Object.values(bad), good.row])
    assert.deepEqual(
      refused.map(({ row }) => row),
      Object.keys(bad).map((_, index) => index),
    )
    assert.ok(store.get(good.id))
    assert.equal(store.get(ticking.id), undefined)
    assert.deepEqual((await line.feed([withStream(ticks)])).refused, [])
    assert.deepEqual(store.get(ticking.id)?.stream, ticks)
  })

  it('answers nobody who does not know the secret, nor a seal for something else', async () => {
    await assert.rejects(lineWith('x'.repeat(32)).rows(null), /answers 401/)
    const nonce = '00'.repeat(16)
    const body = Buffer.from('{"after":null}')
    const seal = sealOf(secret, { from: 'hub', path: '/v1/feed', nonce, body })
    const headers = { [nonceHeader]: nonce, [sealHeader]: seal }
    const ask = (path: string, given: Buffer, sealed: Record<string, string>) =>
      fetch(new URL(path, url), { method: 'POST', body: new Uint8Array(given), headers: sealed })
    assert.equal((await ask('/v1/rows', body, headers)).status, 401)
    assert.equal((await ask('/v1/feed', Buffer.from('{}'), headers)).status, 401)
    assert.equal((await ask('/v1/feed', body, {})).status, 401)
  })

  it('is not believed when it cannot seal its answer', async () => {
    const impostor = createServer((_request, response) => {
      response.setHeader(sealHeader, 'ab'.repeat(32))
      response.end(JSON.stringify({ storeId: store.storeId, refused: [] }))
    }).listen(0, '127.0.0.1')
    await once(impostor, 'listening')
    const { port } = impostor.address() as AddressInfo
    const misled = createTowerLine({
      url: `http://127.0.0.1:${port}`,
      secret,
      timeoutMs: 5_000,
      randomBytes,
    })
    await assert.rejects(misled.feed([]), /does not know the tower's secret/)
    impostor.closeAllConnections()
    impostor.close()
  })

  it('keeps its rows and its name over a restart, and is no other hub’s', async () => {
    const before = await allRows()
    const { storeId } = store
    await store.close()
    await assert.rejects(
      openTowerStore(folder, { chainId: 1, hubAccount, newId: () => randomHash() }),
      /is of chainId 31337, this tower of 1/,
    )
    const again = await open()
    assert.equal(again.storeId, storeId)
    const page = await again.page(null)
    assert.deepEqual(
      page.map(({ row }) => row),
      before.slice(0, rowsPerMessage),
    )
    await again.close()
    store = await open()
  })
})
