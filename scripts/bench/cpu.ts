// CPU time of a server: what it reports of itself, and that of every process it started.

import { readdir, readFile } from 'node:fs/promises'

export type Server = {
  pid: number
  /** What the server says it has used, user and system, in seconds. */
  ownCpuSeconds(): Promise<number>
}

/** Linux counts in hundredths of a second, whatever its kernel's timer does (USER_HZ). */
const ticksPerSecond = 100

/** CPU seconds of the server and its descendants; where there is no /proc, of the server alone. */
export async function treeCpuSeconds({ pid, ownCpuSeconds }: Server): Promise<number> {
  const processes = await readProcesses()
  const ended = processes.find((process) => process.pid === pid)?.endedTicks ?? 0
  const living = descendants(processes, pid).reduce(
    (sum, { ticks, endedTicks }) => sum + ticks + endedTicks,
    0,
  )
  return (await ownCpuSeconds()) + (ended + living) / ticksPerSecond
}

/** `ticks` are the process's own, `endedTicks` those of children that it has waited for. */
type Process = { pid: number; parent: number; ticks: number; endedTicks: number }

function descendants(processes: readonly Process[], pid: number): Process[] {
  const children = processes.filter(({ parent }) => parent === pid)
  return children.flatMap((child) => [child, ...descendants(processes, child.pid)])
}

async function readProcesses(): Promise<Process[]> {
  if (process.platform !== 'linux') return []
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const read = await Promise.all(pids.map(readProcess))
  return read.filter((process) => process !== undefined)
}

async function readProcess(pid: string): Promise<Process | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The program's name stands in parentheses and may hold anything; the fields after it are numbered from 3 in proc(5).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const field = (number: number) => Number(fields[number - 3])
    return {
      pid: Number(pid),
      parent: field(4),
      ticks: field(14) + field(15),
      endedTicks: field(16) + field(17),
    }
  } catch (cause) {
    // It ended between the listing and the reading.
    if (cause instanceof Error && 'code' in cause) return undefined
    throw cause
  }
}
