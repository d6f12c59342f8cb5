// Where the program speaks: results on stdout, everything on the way there on stderr.

import { toJson } from '#protocol/messages/wire.ts'
import type { ExitCode, Failure } from './failure.ts'

/** What a command has to show: for scripts as an object, for people as lines. Without an exit code it is done. */
export type Report = { json: object; lines: readonly string[]; exitCode?: ExitCode }

export type Terminal = {
  report(report: Report): void
  fail(failure: Failure): void
  /** Something worth knowing that nobody asked for. */
  note(text: string): void
  /** Runs work; when it takes over a second, says what it is at. */
  during<T>(label: string, work: (say: (label: string) => void) => Promise<T>): Promise<T>
  /** Takes the progress line away, before the program stops in the middle. */
  clear(): void
}

/** A stream of text that may be somebody's terminal. */
type Output = { write(text: string): unknown; isTTY?: boolean }

const patienceMs = 1_000
const frameMs = 100
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** Speaks through two streams. With `json`, stdout gets exactly one line of JSON. */
export function createTerminal({
  json,
  stdout,
  stderr,
}: {
  json: boolean
  stdout: Output
  stderr: Output
}): Terminal {
  let timer: NodeJS.Timeout | undefined
  const clear = () => {
    clearTimeout(timer)
    timer = undefined
    if (stderr.isTTY) stderr.write('\r\u001b[K')
  }
  return {
    clear,
    report: (report) => {
      const lines = json ? [toJson(report.json)] : report.lines.map(printable)
      stdout.write(`${lines.join('\n')}\n`)
    },
    fail: ({ exitCode, ...error }) => {
      if (json) stdout.write(`${toJson({ error, exitCode })}\n`)
      else stderr.write(`${printable(sentence(error.detail))}\n${printable(error.action)}\n`)
    },
    note: (text) => {
      if (stderr.isTTY) stderr.write('\r\u001b[K')
      stderr.write(`note: ${printable(text)}\n`)
    },
    during: async (label, work) => {
      const progress = createProgress(stderr, label)
      timer = setTimeout(function show() {
        progress.show()
        timer = setTimeout(show, frameMs)
      }, patienceMs)
      try {
        return await work(progress.say)
      } finally {
        clear()
      }
    },
  }
}

/** Lines of columns, each as wide as its widest cell; Korean and other wide letters count twice. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, widthOf(cell))
  }
  return rows.map((row) =>
    row
      .map((cell, at) => cell + ' '.repeat((widths[at] ?? 0) - widthOf(cell)))
      .join('  ')
      .trimEnd(),
  )
}

/** The beginning of a hash or address, enough to name it by. */
export function short(hex: string): string {
  return hex.slice(0, 10)
}

/** Local date and time to the second. */
export function timeText(milliseconds: number): string {
  const date = new Date(milliseconds - new Date(milliseconds).getTimezoneOffset() * 60_000)
  return date.toISOString().slice(0, 19).replace('T', ' ')
}

/** A length of time in its two largest units. */
export function durationText(seconds: number): string {
  const units = [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ] as const
  const parts: string[] = []
  let left = Math.ceil(seconds)
  for (const [name, size] of units) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) parts.push(`${count} ${name}`)
  }
  return parts.slice(0, 2).join(' ') || '0 s'
}

/** On a terminal one line that moves; elsewhere a line for each new label. */
function createProgress(stderr: Output, firstLabel: string) {
  let label = firstLabel
  let shown = ''
  let frame = 0
  return {
    say: (next: string) => {
      label = next
    },
    show: () => {
      if (stderr.isTTY) {
        stderr.write(`\r\u001b[K${frames[frame++ % frames.length]} ${printable(label)} …`)
      } else if (label !== shown) {
        stderr.write(`${printable(label)} …\n`)
        shown = label
      }
    },
  }
}

/** Text from elsewhere must not steer the terminal: control and direction characters are shown as a mark. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
}

function sentence(text: string): string {
  const first = text.slice(0, 1).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(first) ? first : `${first}.`
}

function widthOf(text: string): number {
  let width = 0
  for (const letter of text)
    width +=
      /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u.test(
        letter,
      )
        ? 2
        : 1
  return width
}
