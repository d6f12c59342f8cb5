// What every part of the campaign is given, tells and prints.

/**
 * How long a phase is, how often phases are repeated, over how many channels the honest tip, and how much is attacked with. `judge`: whether times are judged; `only`
 * names the one part to run.
 */
export type LoadEffort = {
  seed: number
  phaseSeconds: number
  rounds: number
  channels: number
  connections: number
  viewers: number
  judge: boolean
  only?: string | undefined
}

/** What a part did, what it injected, and what was wrong. */
export type PartFound = { operations: number; faults: number; failures: string[] }

export function print(name: string, report: { readonly [figure: string]: number }) {
  const figures = Object.entries(report).map(
    ([figure, value]) => `${figure} ${Math.round(value * 1_000) / 1_000}`,
  )
  console.log(`  ${name.padEnd(10)} ${figures.join(', ')}`)
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
