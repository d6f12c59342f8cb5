// The hub as a server that is measured from outside.

import type { World } from '../world/world.ts'
import type { Server } from './cpu.ts'

export function hubServer(world: World): Server {
  return {
    pid: world.hub.pid,
    ownCpuSeconds: () => metric(world, 'process_cpu_seconds_total'),
  }
}

/** What the hub says of itself under a name; NaN when it says nothing of it. */
export async function metric({ hub }: World, name: string): Promise<number> {
  const text = await (await fetch(new URL('/metrics', hub.url))).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

/** Where its WebSocket is. */
export function socketUrl({ hub }: World): string {
  const url = new URL('/v1/socket', hub.url)
  url.protocol = 'ws:'
  return url.href
}
