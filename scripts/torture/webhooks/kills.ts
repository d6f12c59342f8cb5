// A hub that is killed again and again while it delivers: no event is lost, none overtakes another, and a kill repeats at
// most what was in flight.

import { openHub } from '../../../test/support/hub.ts'
import { signIn } from '../../../test/support/paper.ts'
import type { Random } from '../random.ts'
import type { Tipping } from './tipping.ts'
import { pause, register, startTipping } from './tipping.ts'
import type { Manner, Witness } from './witness.ts'
import { answerAlways, startWitness } from './witness.ts'

const hubSettings = {
  JANDON_WEBHOOK_RETRY_MS: '20',
  JANDON_WEBHOOK_RETRY_MAX_MS: '200',
  JANDON_WEBHOOK_ATTEMPTS: '100',
  JANDON_WEBHOOK_TIMEOUT_MS: '500',
}

/** How far tips may run ahead of deliveries, so that kills meet both. */
const maxAhead = 1_000
const maxBasket = 64

export async function surviveKills(
  random: Random,
  { events, kills }: { events: number; kills: number },
): Promise<{ operations: number; failures: string[] }> {
  const hub = await openHub({ hubSettings })
  const steady = await startWitness('steady')
  const moody = await startWitness('moody', moodyManner(random))
  try {
    const tipping = await startTipping(hub)
    const token = await signIn(hub, tipping.creator)
    for (const witness of [steady, moody]) {
      witness.expect(await register(hub, token, witness.url))
    }
    const sending = sendAll(tipping, { random, events, steady })
    for (let kill = 1; kill <= kills; kill += 1) {
      const from = Math.floor(((kill - 1) * events) / kills)
      await steady.reached(from + 1 + random.below(Math.max(1, Math.floor(events / kills) - 1)))
      if (random.once(2)) await pause(random.below(5))
      await hub.world.hub.kill()
      await hub.world.restartHub()
    }
    await sending
    await Promise.all([steady.reached(events), moody.reached(events)])
    console.log(
      `  ${events} events, ${kills} kills: ${steady.repeats()} repeated to the steady endpoint, ` +
        `${moody.repeats()} to the moody one`,
    )
    return { operations: events, failures: faultsOf(tipping, { steady, moody, kills }) }
  } finally {
    await hub.close()
    await steady.close()
    await moody.close()
  }
}

/** Of a hundred messages some are refused, some forgotten, some cut off, each after it was taken. */
function moodyManner(random: Random): Manner {
  return (response) => {
    const mood = random.below(1_000)
    if (mood < 20) response.writeHead(500).end()
    else if (mood < 23) response.socket?.resetAndDestroy()
    else if (mood > 23) answerAlways(response)
  }
}

async function sendAll(
  tipping: Tipping,
  { random, events, steady }: { random: Random; events: number; steady: Witness },
) {
  for (let sent = 0; sent < events; ) {
    const count = Math.min(events - sent, 1 + random.below(maxBasket))
    await tipping.tip(count)
    sent += count
    while (sent - steady.count() > maxAhead) await pause(5)
  }
}

function faultsOf(
  { acknowledged }: Tipping,
  { steady, moody, kills }: { steady: Witness; moody: Witness; kills: number },
): string[] {
  const faults = [...steady.faults, ...moody.faults]
  for (const witness of [steady, moody]) {
    const lost = [...acknowledged.keys()].filter((ref) => !witness.refs.has(ref))
    if (lost.length > 0) faults.push(`${lost.length} events were lost, the first is ${lost[0]}`)
    const foreign = [...witness.refs.keys()].filter((ref) => !acknowledged.has(ref))
    if (foreign.length > 0) faults.push(`${foreign.length} events came that never were`)
  }
  if (steady.repeats() > kills) faults.push(`${steady.repeats()} repetitions after ${kills} kills`)
  return faults
}
