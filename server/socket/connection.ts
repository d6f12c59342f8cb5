// One WebSocket: baskets in binary frames, everything else in text, in whatever order they are answered.

import type { WebSocket } from 'ws'
import { HubError } from '#protocol/errors.ts'
import type { FramedBasket } from '#protocol/frames.ts'
import { decodeBaskets, FrameError, frameKinds } from '#protocol/frames.ts'
import { socketRequest } from '#protocol/messages/socket.ts'
import { tipMessage } from '#protocol/messages/tips.ts'
import type { Baskets } from '../channels/baskets.ts'
import type { LiveEvents } from '../events/live.ts'
import { checkShape, parseMessage } from '../http/json-body.ts'
import type { Penalties } from '../http/penalties.ts'
import { asRefusal } from '../http/problem.ts'
import type { Sessions } from '../http/sessions.ts'
import { assertHeard } from '../http/tips-route.ts'
import { createAnswers } from './answers.ts'
import { socketLimits } from './limits.ts'

export type ConnectionDeps = {
  baskets: Baskets
  live: LiveEvents
  sessions: Sessions
  penalties: Penalties
  logFailure: (what: string, cause: unknown) => void
}

/** Close codes of RFC 6455 that are used here. */
const closeCodes = { goingAway: 1001, badData: 1007, policy: 1008 }

/** Serves a connection until it closes. `from` is the address of the other side. */
export function serveConnection(socket: WebSocket, from: string, deps: ConnectionDeps) {
  const { baskets, live, sessions, penalties, logFailure } = deps
  const answers = createAnswers(send)
  let unanswered = 0

  socket.on('message', (data: Buffer, isBinary: boolean) => {
    try {
      assertHeard(penalties, from)
      if (isBinary) takeFrame(data)
      else takeText(data.toString('utf8'))
    } catch (error) {
      refuse(null, error)
      if (error instanceof FrameError) socket.close(closeCodes.badData, 'not a frame')
    }
  })
  socket.on('error', (cause) => {
    if (!isSendersFault(cause)) logFailure('WebSocket', cause)
  })

  function takeFrame(data: Buffer) {
    if (data[0] !== frameKinds.baskets) throw new FrameError(`no frame is of kind ${data[0]}`)
    for (const basket of decodeBaskets(data)) takeBasket(basket)
  }

  /** Reads no further while too much is unanswered: the sender feels it as a full connection. */
  function takeBasket(basket: FramedBasket) {
    unanswered += 1
    if (unanswered >= socketLimits.unanswered) socket.pause()
    void settle(basket)
  }

  async function settle({ request, ...basket }: FramedBasket) {
    try {
      for (const { message } of basket.tips) if (message) checkShape(message, tipMessage)
      answers.accepted(request, await baskets.accept(basket))
    } catch (error) {
      refuse(request, error)
    }
    unanswered -= 1
    if (unanswered < socketLimits.unanswered / 2 && socket.isPaused) socket.resume()
  }

  function takeText(text: string) {
    const message = parseMessage(text, socketRequest)
    const address = sessions.addressOfToken(message.token)
    const session = sessions.idOfToken(message.token)
    live
      .follow({ address, session, after: message.after }, listener())
      .catch((error: unknown) => refuse(null, error))
  }

  function listener() {
    return {
      write: ({ id, type, data }: { id: string; type: string; data: string }) =>
        send(`{"type":"event","id":"${id}","event":"${type}","data":${data}}`),
      beat: () => socket.ping(),
      end: () => socket.close(closeCodes.goingAway, 'the session ended'),
      onClose: (then: () => void) => socket.on('close', then),
    }
  }

  function send(frame: string | Uint8Array) {
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount > socketLimits.unsentBytes) socket.terminate()
    else socket.send(frame)
  }

  function refuse(request: number | null, error: unknown) {
    const refusal =
      error instanceof FrameError
        ? new HubError('invalid_request', error.message, { values: { issues: [error.message] } })
        : asRefusal(error)
    if (refusal.code === 'bad_signature') penalties.blame(from)
    if (refusal.code === 'internal_error') logFailure('WebSocket', error)
    answers.refused(request, refusal)
  }
}

/** Oversized and malformed frames, which `ws` answers with the right close code by itself. */
function isSendersFault(cause: Error & { code?: string }): boolean {
  return cause.code?.startsWith('WS_ERR_') ?? false
}
