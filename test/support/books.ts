// The hub's export, line by line.

import type { Fields } from './http.ts'
import type { HubFixture } from './hub.ts'
import { booksOf } from './hub.ts'

export async function exportedLines(hub: HubFixture): Promise<Fields[]> {
  const text = await booksOf(hub)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Fields)
}
