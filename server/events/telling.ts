// Events in the forms that they are sent in. Each form is made once, when the first listener asks, however many there are.

import type { HubEvent } from '../store/group-rows.ts'

export type Telling = {
  events: readonly HubEvent[]
  /** All of them as a piece of an event stream. */
  stream(): Buffer
  /** Each as a text frame of a WebSocket. */
  frames(): readonly Buffer[]
}

export function createTelling(events: readonly HubEvent[]): Telling {
  let stream: Buffer | undefined
  let frames: readonly Buffer[] | undefined
  return {
    events,
    stream() {
      stream ??= Buffer.from(events.map(streamText).join(''))
      return stream
    },
    frames() {
      frames ??= events.map((event) => Buffer.from(frameText(event)))
      return frames
    },
  }
}

function streamText({ id, type, data }: HubEvent): string {
  return `id: ${id}\nevent: ${type}\ndata: ${data}\n\n`
}

function frameText({ id, type, data }: HubEvent): string {
  return `{"type":"event","id":"${id}","event":"${type}","data":${data}}`
}
