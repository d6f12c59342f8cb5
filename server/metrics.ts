// What Prometheus reads.

import type { Endpoints } from './chain/endpoints.ts'
import type { Follower } from './chain/follower.ts'
import type { Reserves } from './chain/reserves.ts'
import type { Transactions } from './chain/transactions.ts'
import type { ChannelRegistry } from './channels/registry.ts'
import type { SignatureBackend } from './channels/signature-backend.ts'
import type { EventLoop } from './event-loop.ts'
import type { LiveEvents } from './events/live.ts'
import type { Admission } from './http/admission.ts'
import type { Sockets } from './socket/sockets.ts'
import type { GroupLog } from './store/group-log.ts'
import type { StreamBook } from './streams/stream-book.ts'
import type { TowerFeed } from './tower/feed.ts'

/** How a hub stands, as Prometheus text. */
export function hubMetrics({
  follower,
  endpoints,
  log,
  channels,
  streamBook,
  sockets,
  live,
  admission,
  eventLoop,
  reserves,
  transactions,
  backend,
  tower,
}: {
  follower: Pick<Follower, 'cursor' | 'target' | 'reorgs'>
  endpoints: Pick<Endpoints, 'asideCount'>
  log: Pick<GroupLog, 'head'>
  channels: Pick<ChannelRegistry, 'count' | 'overcharged'>
  streamBook: Pick<StreamBook, 'count'>
  sockets: Pick<Sockets, 'count'>
  live: Pick<LiveEvents, 'count'>
  admission: Pick<Admission, 'counts'>
  eventLoop: Pick<EventLoop, 'delay'>
  reserves: Pick<Reserves, 'newest'>
  transactions: Pick<Transactions, 'waiting'>
  backend: SignatureBackend
  tower: Pick<TowerFeed, 'lagMs'> | undefined
}): string {
  const { underWay, waiting } = admission.counts()
  const { p99, longest } = eventLoop.delay()
  const sent = transactions.waiting()
  const values: Record<string, bigint | number> = {
    jandon_block: follower.cursor(),
    jandon_block_target: follower.target(),
    jandon_reorgs_total: follower.reorgs().count,
    jandon_reorg_blocks_total: follower.reorgs().blocks,
    jandon_endpoints_aside: endpoints.asideCount(),
    jandon_overcharged_channels: channels.overcharged().length,
    jandon_group: log.head().number,
    jandon_channels: channels.count(),
    jandon_streams: streamBook.count(),
    process_cpu_seconds_total: cpuSeconds(),
    process_resident_memory_bytes: process.memoryUsage.rss(),
    jandon_transactions_waiting: sent.count,
    jandon_transactions_replaced: sent.replacements,
    jandon_sockets: sockets.count(),
    jandon_listeners: live.count(),
    jandon_signatures_under_way: underWay,
    jandon_signatures_waiting: waiting,
    jandon_event_loop_p99_seconds: p99,
    jandon_event_loop_max_seconds: longest,
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
