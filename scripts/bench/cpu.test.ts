import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { treeCpuSeconds } from './cpu.ts'

const burnt = 0.3
const burn = `while (process.cpuUsage().user < ${burnt * 1_000_000}) {}`
/** Linux rounds each figure down to a hundredth of a second. */
const rounding = 0.05

describe('treeCpuSeconds', () => {
  /** As if this process were a server that says it has used one second. */
  const server = { pid: process.pid, ownCpuSeconds: async () => 1 }

  function assertCounted(seconds: number) {
    if (process.platform === 'linux') assert(seconds >= burnt - rounding, `${seconds} s`)
    else assert.equal(seconds, 0)
  }

  it('counts what the server says of itself', async () => {
    const once = await treeCpuSeconds(server)
    const more = await treeCpuSeconds({ ...server, ownCpuSeconds: async () => 3 })
    assert(Math.abs(more - once - 2) < rounding)
  })

  it('counts a child that has ended', async () => {
    const before = await treeCpuSeconds(server)
    assert.equal(spawnSync(process.execPath, ['-e', burn]).status, 0)
    assertCounted((await treeCpuSeconds(server)) - before)
  })

  it('counts a child that runs, and that child’s own', async () => {
    const before = await treeCpuSeconds(server)
    const inner = `${burn}; process.stdout.write("burnt"); process.stdin.resume()`
    const outer = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(inner)}], { stdio: 'inherit' })`
    const child = spawn(process.execPath, ['-e', outer], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      await once(child.stdout, 'data')
      assertCounted((await treeCpuSeconds(server)) - before)
    } finally {
      child.stdin.end()
      await once(child, 'exit')
    }
  })
})
