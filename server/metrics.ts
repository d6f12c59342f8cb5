// What Prometheus reads.

import type { Follower } from './chain/follower.ts'
import type { Reserves } from './chain/reserves.ts'
import type { ChannelRegistry } from './channels/registry.ts'
import type { SignatureBackend } from './channels/signature-backend.ts'
import type { Sockets } from './socket/sockets.ts'
import type { GroupLog } from './store/group-log.ts'
import type { StreamBook } from './streams/stream-book.ts'
import type { TowerFeed } from './tower/feed.ts'

/** How a hub stands, as Prometheus text. */
export function hubMetrics({
  follower,
  log,
  channels,
  streamBook,
  sockets,
  reserves,
  backend,
  tower,
}: {
  follower: Pick<Follower, 'cursor'>
  log: Pick<GroupLog, 'head'>
  channels: Pick<ChannelRegistry, 'count'>
  streamBook: Pick<StreamBook, 'count'>
  sockets: Pick<Sockets, 'count'>
  reserves: Pick<Reserves, 'newest'>
  backend: SignatureBackend
  tower: Pick<TowerFeed, 'lagMs'> | undefined
}): string {
  const values: Record<string, bigint | number> = {
    jandon_block: follower.cursor(),
    jandon_group: log.head().number,
    jandon_channels: channels.count(),
    jandon_streams: streamBook.count(),
    process_cpu_seconds_total: cpuSeconds(),
    process_resident_memory_bytes: process.memoryUsage.rss(),
    jandon_sockets: sockets.count(),
    jandon_reserves_unequal: reserves.newest().verdict === 'unequal' ? 1 : 0,
    ...(tower && { jandon_tower_lag_seconds: tower.lagMs() / 1_000 }),
    [`jandon_signature_backend{name="${backend.name}"}`]: 1,
  }
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('')
}

/** User and system time of the whole process, all its threads; the hub has no child processes. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000_000
}
