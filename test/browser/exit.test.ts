// The exit page in a real browser, opened from disk, with the hub gone: its one connection is the wallet.

import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import chromium from '@sparticuz/chromium'
import type { Browser, Page } from 'playwright-core'
import { chromium as playwright } from 'playwright-core'
import type { Address, Hex } from 'viem'
import { createWalletClient, http, toEventSelector, toFunctionSelector } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { creatorVaultAbi, paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import { createJandon, createMemoryStore } from '../../client/index.ts'
import type { World } from '../../scripts/world/world.ts'
import { startWorld } from '../../scripts/world/world.ts'

const page = new URL('../../client/exit/index.html', import.meta.url)
const unit = 1_000_000n
const daySeconds = 86_400

/** What the packaged browser does for want of room, and what would let the page reach further than it may. */
const unwanted = ['--single-process', '--no-zygote', '--disable-web-security']

describe('the exit page', function () {
  this.timeout(180_000)
  let folder: string
  let world: World
  let browser: Browser
  const asked: string[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'jandon-page-'))
    world = await startWorld({ folder, walletNames: ['fan', 'busker'], withBank: false })
    const busker = clientOf('busker')
    await busker.register({ handle: 'busker', displayName: 'Busker' })
    await world.mint(addressOf('fan'), 5n * unit)
    const fan = clientOf('fan')
    await fan.openChannel({ deposit: 5n * unit })
    await fan.tip({ to: '@busker', amount: unit })
    const claimed = await fetch(new URL('/v1/claims', world.hub.url), {
      method: 'POST',
      headers: { authorization: `Bearer ${world.operatorToken}` },
    })
    assert.equal(claimed.status, 202)
    await world.hub.kill()
    for (const name of ['fan', 'busker']) await world.fundGas(addressOf(name))
    browser = await playwright.launch({
      args: chromium.args.filter((arg) => !unwanted.includes(arg)),
      executablePath: await chromium.executablePath(),
      headless: true,
    })
  })
  after(async () => {
    await browser?.close()
    await world?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const keyOf = (name: string): Hex => world.wallets[name]?.privateKey ?? '0x'
  const addressOf = (name: string): Address => world.wallets[name]?.address ?? '0x'

  function clientOf(name: string) {
    const account = privateKeyToAccount(keyOf(name))
    return createJandon({ hubUrl: world.hub.url, account, store: createMemoryStore() })
  }

  const tokensOf = (name: string) =>
    world.chain.readContract({
      address: world.token.address,
      abi: testTokenAbi,
      functionName: 'balanceOf',
      args: [addressOf(name)],
    })

  /** The page with a wallet in it that signs with one key and hands everything else to the node. */
  async function openPage(name: string, locale = 'en-US'): Promise<Page> {
    const context = await browser.newContext({ locale })
    const opened = await context.newPage()
    opened.on('request', (request) => asked.push(request.url()))
    const account = privateKeyToAccount(keyOf(name))
    const wallet = createWalletClient({ account, chain: hardhat, transport: http(world.rpcUrl) })
    await opened.exposeFunction('askWallet', (method: string, params: unknown[]) => {
      if (method === 'eth_requestAccounts') return [account.address]
      if (method !== 'eth_sendTransaction')
        return world.chain.request({ method, params } as Parameters<typeof world.chain.request>[0])
      const [{ to, data }] = params as [{ to: Address; data: Hex }]
      return wallet.sendTransaction({ to, data })
    })
    await opened.addInitScript(
      'window.ethereum = { request: ({ method, params = [] }) => askWallet(method, params) }',
    )
    const { channels, vault } = world.deployment
    const where = new URLSearchParams({ channels, vault, token: world.token.address, from: '0' })
    await opened.goto(`${page.href}#${where}`)
    await opened.locator('#connect').click()
    return opened
  }

  async function passDelay() {
    await world.chain.increaseTime({ seconds: daySeconds })
    await world.chain.mine({ blocks: 1 })
  }

  it('calls the functions that the contracts have', async () => {
    const text = await readFile(fileURLToPath(page), 'utf8')
    const abi = [...paymentChannelsAbi, ...creatorVaultAbi]
    const names = 'channels,pendingWithdrawals,initiateWithdraw,finalizeWithdraw,accounts,pay'
    for (const name of names.split(',')) {
      const item = abi.find((one) => one.type === 'function' && one.name === name)
      assert.ok(item?.type === 'function')
      assert.ok(text.includes(`${name}: '${toFunctionSelector(item)}'`), name)
    }
    const created = abi.find((one) => one.type === 'event' && one.name === 'ChannelCreated')
    assert.ok(created?.type === 'event' && text.includes(`'${toEventSelector(created)}'`))
  })

  it('takes a deposit out in two steps, says how much gas it needs and where, and counts down between', async () => {
    const opened = await openPage('fan')
    await opened.getByText(/3\.95 not claimed/).waitFor()
    assert.match(String(await opened.locator('#found').textContent()), new RegExp(addressOf('fan')))
    await opened.getByLabel('Amount').fill('9')
    await opened.getByRole('button', { name: 'Begin to take it out' }).click()
    await opened.getByText('This is not an amount: 9').waitFor()
    await opened.getByLabel('Amount').fill('3.95')
    await opened.getByRole('button', { name: 'Begin to take it out' }).click()
    await opened.getByText(/can be finished in 2[34]:\d\d:\d\d/).waitFor()
    await opened.context().close()
    await passDelay()
    const later = await openPage('fan')
    await later.getByRole('button', { name: 'Finish' }).click()
    await later.getByText(/^Done: 0x/).waitFor()
    assert.equal(await tokensOf('fan'), 3_950_000n)
    await later.context().close()
  })

  it('pays out of the vault, in Korean where that is the language', async () => {
    const opened = await openPage('busker', 'ko-KR')
    await opened.getByText('금고의 내 돈: 0.99').waitFor()
    await opened.getByRole('button', { name: '보내기' }).click()
    await opened.getByText(/^완료: 0x/).waitFor()
    assert.equal(await tokensOf('busker'), 990_000n)
    await opened.context().close()
  })

  it('asks nothing of anybody but the wallet', () => {
    assert.deepEqual([...new Set(asked.map((url) => url.split('#')[0]))], [page.href])
  })
})
