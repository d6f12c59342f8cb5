// What Prometheus reads.

/** User and system time of the whole process, all its threads; the hub has no child processes. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000_000
}

/** Values by name as Prometheus text. */
export function renderMetrics(values: Record<string, bigint | number>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('')
}
