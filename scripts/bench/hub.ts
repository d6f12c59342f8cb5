// The hub as a server whose CPU time is counted.

import type { World } from '../world/world.ts'
import type { Server } from './cpu.ts'

export function hubServer({ hub }: World): Server {
  return {
    pid: hub.pid,
    async ownCpuSeconds() {
      const text = await (await fetch(new URL('/metrics', hub.url))).text()
      return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1])
    },
  }
}
