// Work on very many rows in the thread that answers requests.

/** After so many rows, others get their turn. */
const rowsPerTurn = 2_000

/** Does something with each row, and lets requests be answered in between. */
export async function inTurns<T>(rows: Iterable<T>, work: (row: T) => void): Promise<void> {
  let done = 0
  for (const row of rows) {
    work(row)
    done += 1
    if (done % rowsPerTurn === 0) await new Promise(setImmediate)
  }
}
