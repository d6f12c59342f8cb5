// The year as a picture: the price of gas, and under each policy what is at risk and what gas came to. An SVG without anything else.

import { policies } from './policies.ts'
import type { Scenario, Year } from './year.ts'

type Line = { colour: string; values: readonly number[] }
type Panel = { title: string; lines: Line[] }

/** Pixels. */
const frame = { width: 800, left: 70, right: 20, top: 66, height: 150, gap: 52 }
/** Told apart by colour-blind eyes too (Okabe and Ito). */
const colours = ['#0072b2', '#e69f00', '#009e73', '#cc79a7']
const grey = '#555555'
const daysPerLabel = 30
/** A label needs so many days of room beside the right edge. */
const roomForLabel = 15

export function plot({ seed, medianGasPrice }: Scenario, years: readonly Year[]): string {
  const [first] = years
  if (!first) throw new Error('there are no years to plot')
  const lines = (valuesOf: (year: Year) => readonly number[]) =>
    years.map((year, place) => ({ colour: colourOf(place), values: valuesOf(year) }))
  const panels: Panel[] = [
    {
      title: 'price of gas, mean of a day, gwei (synthetic)',
      lines: [{ colour: grey, values: first.byDay.gasPrice }],
    },
    {
      title: 'at risk (charged and not claimed), most of a day, token units',
      lines: lines(({ byDay }) => byDay.atRisk),
    },
    {
      title: 'gas so far as a share of what was tipped so far, %',
      lines: lines(({ byDay }) => byDay.gasShare.map((share) => share * 100)),
    },
  ]
  const title = `A simulated year: gas around ${medianGasPrice / 1e9} gwei, seed ${seed}`
  const height = frame.top + panels.length * (frame.height + frame.gap)
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${frame.width} ${height}" font-family="sans-serif" font-size="12" fill="#222222">`,
    `<title>${title}</title>`,
    `<rect width="${frame.width}" height="${height}" fill="#ffffff"/>`,
    text({
      x: frame.left,
      y: 22,
      says: title,
      size: 15,
    }),
    ...policies.flatMap(({ name }, place) => legend(name, place)),
    ...panels.flatMap(draw),
    '</svg>',
  ].join('\n')}\n`
}

function legend(name: string, place: number): string[] {
  const x = frame.left + place * 150
  return [
    `<rect x="${x}" y="34" width="18" height="4" fill="${colourOf(place)}"/>`,
    text({ x: x + 24, y: 41, says: name }),
  ]
}

/** A panel with a logarithmic scale, because the policies are decades apart. */
function draw({ title, lines }: Panel, place: number): string[] {
  const bottom = frame.top + place * (frame.height + frame.gap) + frame.height
  const all = lines.flatMap(({ values }) => values).filter((value) => value > 0)
  const low = Math.floor(Math.log10(Math.min(...all)))
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...all))))
  const days = Math.max(...lines.map(({ values }) => values.length))
  const width = frame.width - frame.left - frame.right
  const x = (day: number) => frame.left + (width * day) / days
  const y = (value: number) =>
    bottom - (frame.height * (Math.log10(Math.max(value, 10 ** low)) - low)) / (high - low)
  const decades = Array.from({ length: high - low + 1 }, (_, step) => 10 ** (low + step))
  const labels = Math.floor(Math.max(0, days - roomForLabel) / daysPerLabel) + 1
  const months = Array.from({ length: labels }, (_, step) => step * daysPerLabel)
  return [
    text({ x: frame.left, y: bottom - frame.height - 8, says: title }),
    ...decades.flatMap((value) => [
      `<path d="M${frame.left} ${round(y(value))}H${frame.width - frame.right}" stroke="#dddddd"/>`,
      text({ x: frame.left - 6, y: y(value) + 4, says: decade(value), anchor: 'end' }),
    ]),
    ...months.map((day) => text({ x: x(day), y: bottom + 16, says: `day ${day}`, size: 10 })),
    ...lines.map(({ colour, values }) => {
      const points = values.map((value, day) => `${round(x(day))},${round(y(value))}`).join(' ')
      return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.5"/>`
    }),
  ]
}

function text({
  x,
  y,
  says,
  size = 12,
  anchor = 'start',
}: {
  x: number
  y: number
  says: string
  size?: number
  anchor?: 'start' | 'end'
}): string {
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" text-anchor="${anchor}">${says}</text>`
}

/** A power of ten. */
function decade(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 1 })
}

function colourOf(place: number): string {
  return colours[place % colours.length] ?? grey
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10
}
