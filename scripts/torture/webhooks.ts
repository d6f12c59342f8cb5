// Webhooks under torture: a hub that is killed while it delivers, and a thousand endpoints that are dead.

import type { Findings } from './contracts.ts'
import { createRandom } from './random.ts'
import { standTheCrowd } from './webhooks/crowd.ts'
import { surviveKills } from './webhooks/kills.ts'

/** How many tips go to endpoints of a hub that is killed how often, and how many beside how many dead endpoints. */
export type WebhooksEffort = {
  seed: number
  events: number
  kills: number
  dead: number
  crowdTips: number
}

export async function run({
  seed,
  events,
  kills,
  dead,
  crowdTips,
}: WebhooksEffort): Promise<Findings> {
  const killed = await surviveKills(createRandom(seed), { events, kills })
  const crowd = await standTheCrowd({ dead, tips: crowdTips })
  return {
    operations: killed.operations + crowd.operations,
    isIdle: killed.operations === 0 || crowd.operations === 0,
    failures: [...killed.failures, ...crowd.failures],
  }
}
