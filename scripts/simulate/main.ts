// `npm run simulate`: a year of tipping under several settlement policies. docs/settlement.md says what came of it.

import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { toJson } from '#protocol/messages/wire.ts'
import { gasPriceAssumptions } from './gas-price.ts'
import { plot } from './plot.ts'
import { policies, settingsOf } from './policies.ts'
import { table } from './table.ts'
import { assumptions } from './tipping.ts'
import type { News, Order } from './worker.ts'
import type { Scenario, Year } from './year.ts'

const help = `usage: npm run simulate -- [options]

  --seed <n>      where randomness begins (default 1); the same seed gives the same figures
  --fans <n>      fans, each with a channel (default 100000)
  --creators <n>  creators, up to 65536 (default 10000)
  --days <n>      how long (default 365)
  --gwei <n>      the middle of the price of gas, gwei (default 1)
  --ether <n>     what one ether is worth, token units (default 3000)
  --svg <file>    writes a plot
  --json          prints one JSON line for each policy
  --help          prints this

The tips, and the price of gas, are made up, hour by hour, from these assumptions:
tips       ${JSON.stringify(assumptions)}
gas price  ${JSON.stringify(gasPriceAssumptions)}
The policies, which the hub's own plan follows:
${policies.map(({ name, idea, settings }) => `${name.padEnd(10)} ${idea}: ${JSON.stringify(settings)}`).join('\n')}
`

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    fans: { type: 'string', default: '100000' },
    creators: { type: 'string', default: '10000' },
    days: { type: 'string', default: '365' },
    gwei: { type: 'string', default: '1' },
    ether: { type: 'string', default: '3000' },
    svg: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(help)
else await simulate()

async function simulate() {
  const scenario: Scenario = {
    seed: numberOf('seed', { least: 0, most: 2 ** 31, isWhole: true }),
    fans: numberOf('fans', { least: 1, most: 10_000_000, isWhole: true }),
    creators: numberOf('creators', { least: 1, most: 65_536, isWhole: true }),
    days: numberOf('days', { least: 1, most: 3_650, isWhole: true }),
    medianGasPrice: numberOf('gwei', { least: 0, most: 10_000, isWhole: false }) * 1e9,
    ether: numberOf('ether', { least: 0, most: 1e9, isWhole: false }),
  }
  const began = Date.now()
  const progress = createProgress(scenario)
  const threads = createThreads()
  process.once('SIGINT', threads.stop)
  const years = await inThreads(scenario, threads, progress.tell)
  progress.clear()
  if (!years) {
    process.stderr.write('stopped; nothing was written\n')
    process.exitCode = 130
    return
  }
  if (values.svg !== undefined) await writeFile(values.svg, plot(scenario, years))
  for (const [index, { name }] of policies.entries())
    if (values.json) process.stdout.write(`${toJson({ name, scenario, ...years[index] })}\n`)
  if (!values.json) process.stdout.write(table(scenario, years))
  const seconds = ((Date.now() - began) / 1_000).toFixed(0)
  const { maxRSS } = process.resourceUsage()
  process.stderr.write(`${seconds} s, at most ${Math.round(maxRSS / 1_024)} MB\n`)
}

/** The policies side by side, as many at once as there are processors; nothing when they were stopped. */
async function inThreads(
  scenario: Scenario,
  threads: Threads,
  onDay: (name: string, day: number) => void,
): Promise<Year[] | undefined> {
  const years: Year[] = []
  const left = [...policies.entries()]
  const lanes = Array.from({ length: availableParallelism() }, async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [index, policy] = next
      const order = { scenario, settings: settingsOf(policy, scenario) }
      const year = await threads.run(order, (day) => onDay(policy.name, day))
      if (!year) return
      years[index] = year
    }
  })
  await Promise.all(lanes)
  return threads.isStopped() ? undefined : years
}

type Threads = ReturnType<typeof createThreads>

/** Threads end with a day, by themselves: the process would crash if it ended them in the middle of their work. */
function createThreads() {
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const isStopped = () => Atomics.load(stop, 0) === 1
  return {
    isStopped,
    /** The year, or nothing when it was stopped. */
    async run(order: Omit<Order, 'stop'>, onDay: (day: number) => void): Promise<Year | undefined> {
      if (isStopped()) return undefined
      const workerData: Order = { ...order, stop }
      const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData })
      let year: Year | undefined
      worker.on('message', (news: News) => {
        if ('year' in news) year = news.year
        else onDay(news.day)
      })
      await once(worker, 'exit')
      if (!year && !isStopped()) throw new Error('a thread ended before its year did')
      return year
    },
    stop: () => void Atomics.store(stop, 0, 1),
  }
}

/** On standard error: one line that changes, or where nobody sees that, one for every tenth of the time. */
function createProgress({ days }: Scenario) {
  const at = new Map<string, number>()
  const tenth = Math.ceil(days / 10)
  return {
    tell(name: string, day: number) {
      at.set(name, day)
      if (!process.stderr.isTTY) {
        if (day % tenth === 0) process.stderr.write(`${name} day ${day} of ${days}\n`)
        return
      }
      const line = [...at].map(([policy, done]) => `${policy} day ${done}`).join(', ')
      process.stderr.write(`\r\u001b[K${line} of ${days}`)
    },
    clear: () => process.stderr.isTTY && process.stderr.write('\r\u001b[K'),
  }
}

function numberOf(
  name: 'seed' | 'fans' | 'creators' | 'days' | 'gwei' | 'ether',
  { least, most, isWhole }: { least: number; most: number; isWhole: boolean },
): number {
  const text = values[name]
  const number = Number(text)
  const isRight = /^\d+(\.\d+)?$/.test(text) && number >= least && number <= most
  if (isRight && (!isWhole || Number.isInteger(number))) return number
  process.stderr.write(
    `--${name} must be ${isWhole ? 'a whole number' : 'a number'} from ${least} to ${most}, not ${text}\n`,
  )
  process.exit(2)
}
