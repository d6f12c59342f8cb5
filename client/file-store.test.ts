import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileStore } from './file-store.ts'
import type { Store } from './store.ts'
import { createMemoryStore } from './store.ts'

describe('stores', () => {
  describeStore('createMemoryStore', async () => createMemoryStore())
  describeStore('createFileStore', async () => createFileStore(await emptyFolder()))
})

describe('createFileStore', () => {
  it('shows another program what was put', async () => {
    const folder = await emptyFolder()
    await createFileStore(folder).put('wallet', 'one')
    assert.equal(await createFileStore(folder).get('wallet'), 'one')
  })

  it('keeps files for their owner only', async () => {
    const folder = await emptyFolder()
    await createFileStore(folder).put('baskets/1', 'one')
    const { mode } = await stat(join(folder, 'baskets', '1.json'))
    assert.equal(mode & 0o077, 0)
  })

  it('overlooks drafts that a crash left behind', async () => {
    const folder = await emptyFolder()
    const store = createFileStore(folder)
    await store.put('wallet', 'one')
    await writeFile(join(folder, 'wallet.json.1234.draft'), 'hal')
    assert.equal(await store.get('wallet'), 'one')
    assert.deepEqual(await store.keys(''), ['wallet'])
  })

  it('refuses keys that lead elsewhere', async () => {
    const store = createFileStore(await emptyFolder())
    for (const key of ['', '../wallet', '/wallet', 'a//b', 'A', 'a.b', 'a/']) {
      assert.throws(() => store.get(key), TypeError)
    }
  })

  it('holds the old text or the new, whenever the program is killed', async () => {
    const folder = await emptyFolder()
    const store = createFileStore(folder)
    await store.put('wallet', '0'.repeat(50_000))
    for (let round = 0; round < 5; round += 1) {
      const writer = startStore(
        folder,
        `for (let n = 0; ; n += 1) {
          await store.put('wallet', String(n % 10).repeat(50_000))
          if (n === ${round * 3}) console.log('writing')
        }`,
      )
      await once(writer.stdout, 'data')
      writer.kill('SIGKILL')
      await once(writer, 'exit')
      const text = (await store.get('wallet')) ?? ''
      assert.equal(text, text.slice(0, 1).repeat(50_000))
    }
  })

  it('gives programs their turns one after the other', async () => {
    const folder = await emptyFolder()
    const count = `for (let n = 0; n < 40; n += 1) await store.exclusive(async () => {
      const before = Number(await store.get('count') ?? '0')
      await store.put('count', String(before + 1))
    })`
    const programs = [1, 2, 3].map(() => startStore(folder, count))
    const codes = await Promise.all(programs.map(async (one) => (await once(one, 'exit'))[0]))
    assert.deepEqual(codes, [0, 0, 0])
    assert.equal(await createFileStore(folder).get('count'), '120')
    assert.deepEqual(await readdir(folder), ['count.json'])
  })

  it('does not wait for a program that was killed during its turn', async () => {
    const folder = await emptyFolder()
    const holder = startStore(
      folder,
      `setInterval(() => {}, 1000)
       await store.exclusive(() => { console.log('mine'); return new Promise(() => {}) })`,
    )
    await once(holder.stdout, 'data')
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    assert.equal(await createFileStore(folder).exclusive(async () => 'done'), 'done')
  })

  after(async () => {
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
  })
})

const folders: string[] = []

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jandon-store-'))
  folders.push(folder)
  return folder
}

/** A program of its own that runs `body` with `store` opened on `folder`. */
function startStore(folder: string, body: string) {
  const module = new URL('./file-store.ts', import.meta.url).href
  const code = `import { createFileStore } from ${JSON.stringify(module)}
    const store = createFileStore(${JSON.stringify(folder)})
    ${body}`
  const args = ['--input-type=module', '--eval', code]
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** What every store does. */
function describeStore(name: string, open: () => Promise<Store>) {
  describe(name, () => {
    it('answers undefined for what was never put', async () => {
      assert.equal(await (await open()).get('wallet'), undefined)
    })

    it('answers the text that was put last, until it is removed', async () => {
      const store = await open()
      await store.put('wallet', 'one')
      await store.put('wallet', '둘')
      assert.equal(await store.get('wallet'), '둘')
      await store.remove('wallet')
      assert.equal(await store.get('wallet'), undefined)
      await store.remove('wallet')
    })

    it('lists the keys with a prefix in order', async () => {
      const store = await open()
      for (const key of ['baskets/2', 'wallet', 'baskets/10', 'baskets/1']) {
        await store.put(key, key)
      }
      assert.deepEqual(await store.keys('baskets/'), ['baskets/1', 'baskets/10', 'baskets/2'])
      assert.deepEqual(await store.keys('none'), [])
    })

    it('gives turns one after the other, also after one that failed', async () => {
      const store = await open()
      const order: string[] = []
      const turns = ['a', 'b', 'c'].map((turn) =>
        store.exclusive(async () => {
          order.push(`${turn} begins`)
          await store.put('turn', turn)
          order.push(`${turn} ends`)
          if (turn === 'b') throw new Error('b fails')
          return turn
        }),
      )
      const outcomes = await Promise.allSettled(turns)
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      )
      for (let at = 0; at < order.length; at += 2) {
        assert.equal(order[at]?.at(0), order[at + 1]?.at(0))
      }
    })
  })
}
