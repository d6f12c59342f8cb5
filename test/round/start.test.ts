// `npm start -- --once --json` as a newcomer runs it, and with an error of one unit planted on either side.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('../../scripts/dev/main.ts', import.meta.url))

type Outcome = { code: number; result: Record<string, unknown>; complaints: string }

describe('npm start -- --once --json', function () {
  this.timeout(120_000)

  it('plays the round, conserves every unit (I1, I8, I9) and exits with 0', async () => {
    const { code, result } = await start()
    assert.equal(code, 0)
    const { claimTx, payout, ...rest } = result
    assert.match(String(claimTx), /^0x[0-9a-f]{64}$/)
    assert.deepEqual(rest, {
      deposited: '40',
      tips: 6,
      creators: 2,
      claimedChannels: 3,
      credited: '9.65',
      paidToWallet: '2.2275',
      refunded: '15.2',
      conserved: true,
    })
    const { file, ...paid } = payout as { file: string }
    assert.deepEqual(paid, { state: 'SETTLED', net: '9393', currency: 'KRW' })
    assert.ok(existsSync(file))
  })

  it('finds one unit planted in the ledger (I4, I5)', async () => {
    const { code, result, complaints } = await start('--plant', 'ledger')
    assert.equal(code, 1)
    assert.equal(result['conserved'], false)
    assert.match(complaints, /channels: booked = charged − claimed on chain: 1 against 0/)
  })

  it('finds one unit planted in the books of the bank (I9)', async () => {
    const { code, result, complaints } = await start('--plant', 'bank')
    assert.equal(code, 1)
    assert.equal(result['conserved'], false)
    assert.match(complaints, /bank: account = the hub’s booking: 99990606 against/)
  })

  it('refuses an option that it does not know, with exit code 2', async () => {
    assert.equal((await run(['--plant', 'nothing'])).code, 2)
    assert.equal((await run(['--twice'])).code, 2)
  })
})

async function start(...more: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await run(['--once', '--json', ...more])
  return { code, result: JSON.parse(stdout) as Outcome['result'], complaints: stderr }
}

function run(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...args], (error, stdout, stderr) => {
      const code = error ? error.code : 0
      if (typeof code === 'number') resolve({ code, stdout, stderr })
      else reject(error)
    })
  })
}
