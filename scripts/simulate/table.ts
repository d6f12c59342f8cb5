// The figures of the policies side by side, as a table in Markdown.

import { policies } from './policies.ts'
import type { Scenario, Year } from './year.ts'

export function table(scenario: Scenario, years: readonly Year[]): string {
  const { seed, fans, creators, days, medianGasPrice, ether } = scenario
  const [first] = years
  if (!first) throw new Error('there are no years to compare')
  const rows: [string, (year: Year) => string][] = [
    ['transactions', (year) => count(year.transactions)],
    ['claims of a channel', (year) => count(year.claims)],
    ['credits of a creator', (year) => count(year.credits)],
    ['gas per unit tipped', (year) => count(year.gasPerUnit)],
    ['gas as a share of what was tipped', (year) => percent(year.gasShare)],
    ['at risk: median / p95 / most, units', ({ atRisk }) => spread(atRisk)],
    ['not yet yours: median / p95 / most, units', ({ notYours }) => spread(notYours)],
    ...first.untilYours.map((_, size): [string, (year: Year) => string] => [
      `until yours, ${first.untilYours[size]?.size} (${count(first.untilYours[size]?.creators ?? 0)} creators): p50 / p95 / longest, hours`,
      ({ untilYours }) => spread(untilYours[size] ?? { p50: 0, p95: 0, max: 0 }),
    ]),
  ]
  const lines = [
    `Seed ${seed}: ${count(fans)} fans, ${count(creators)} creators, ${days} days, ${count(first.tips)} tips of ${count(Number(first.tipped) / 1e6)} units in all; synthetic gas price around ${medianGasPrice / 1e9} gwei, ether at ${count(ether)} units.`,
    '',
    ...aligned([
      ['', ...policies.map(({ name }) => name)],
      ...rows.map(([name, show]) => [name, ...years.map(show)]),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

/** A table whose first column is to the left, and all others to the right. */
function aligned([head = [], ...rows]: readonly string[][]): string[] {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((cells) => cells[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  return [line(head), line(rule), ...rows.map(line)]
}

function spread({ p50, p95, max }: { p50: number; p95: number; max: number }): string {
  return [p50, p95, max].map(count).join(' / ')
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function percent(share: number): string {
  return `${(share * 100).toPrecision(3)}%`
}
