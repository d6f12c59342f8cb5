// One WebSocket: baskets and ticks in binary frames, everything else in text, in whatever order they are answered.

import type { WebSocket } from 'ws'
import type { z } from 'zod'
import { HubError } from '#protocol/errors.ts'
import type { FramedTicks, ReceivedBasket } from '#protocol/frames.ts'
import { decodeBaskets, decodeTicks, FrameError, frameKinds } from '#protocol/frames.ts'
import { socketRequest } from '#protocol/messages/socket.ts'
import { tipMessage } from '#protocol/messages/tips.ts'
import { toJson } from '#protocol/messages/wire.ts'
import type { Baskets } from '../channels/baskets.ts'
import type { Listener, LiveEvents } from '../events/live.ts'
import type { Telling } from '../events/telling.ts'
import type { Admission } from '../http/admission.ts'
import { createDebt } from '../http/debt.ts'
import { checkShape, parseMessage } from '../http/json-body.ts'
import { asRefusal } from '../http/problem.ts'
import type { Sessions } from '../http/sessions.ts'
import type { Streams } from '../streams/streams.ts'
import { createAnswers } from './answers.ts'
import { socketLimits } from './limits.ts'
import { createMember } from './member.ts'

export type ConnectionDeps = {
  baskets: Baskets
  streams: Streams
  live: LiveEvents
  sessions: Sessions
  admission: Admission
  /** In milliseconds, from any beginning. */
  now: () => number
  logFailure: (what: string, cause: unknown) => void
}

type OpenStreamRequest = Extract<z.output<typeof socketRequest>, { type: 'open-stream' }>

/** Close codes of RFC 6455 that are used here. */
const closeCodes = { goingAway: 1001, badData: 1007, policy: 1008, tryAgainLater: 1013 }

/** Serves a connection until it closes. `sender` is who its limits are counted by. */
export function serveConnection(socket: WebSocket, sender: string, deps: ConnectionDeps) {
  const { baskets, streams, live, admission, logFailure } = deps
  const answers = createAnswers(send)
  const member = createMember(deps.sessions, deps.now)
  const noise = createDebt({ now: deps.now, perSecond: socketLimits.noise.perSecond })
  const take = createBrake(socket, { admission, isOver: () => isOver })
  let isFollowing = false
  let isOver = false

  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isOver) return
    try {
      admission.assertHeard(sender)
      if (isBinary) takeFrame(data)
      else takeText(data.toString('utf8'))
    } catch (error) {
      refuse({ request: isBinary ? null : requestIn(data.toString('utf8')) }, error)
      if (error instanceof FrameError) socket.close(closeCodes.badData, 'not a frame')
    }
  })
  socket.on('ping', (data: Buffer) => {
    hear(1)
    if (socket.bufferedAmount > socketLimits.unsentBytes) socket.terminate()
    else if (!isOver) socket.pong(data)
  })
  socket.on('pong', () => hear(1))
  socket.on('error', (cause) => {
    if (!isSendersFault(cause)) logFailure('WebSocket', cause)
  })

  function takeFrame(data: Buffer) {
    switch (data[0]) {
      case frameKinds.baskets:
        for (const basket of decodeBaskets(data)) void take(settle(basket))
        break
      case frameKinds.ticks:
        for (const ticks of decodeTicks(data)) void take(reveal(ticks))
        break
      default:
        throw new FrameError(`no frame is of kind ${data[0]}`)
    }
  }

  async function settle(basket: ReceivedBasket) {
    const { request } = basket
    try {
      for (const message of basket.tips.messages.values()) checkShape(message, tipMessage)
      answers.accepted(request, await inTurn(() => baskets.accept(basket)))
    } catch (error) {
      refuse({ request }, error)
    }
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    return admission.inTurn(sender, { isGone: () => socket.readyState !== socket.OPEN, work })
  }

  async function reveal({ stream, ticks, preimage }: FramedTicks) {
    try {
      await streams.reveal(stream, member.current().session, { ticks, preimage })
      answers.ticked(stream, ticks)
    } catch (error) {
      refuse({ request: null, stream }, error)
    }
  }

  function takeText(text: string) {
    hear(1)
    const message = parseMessage(text, socketRequest)
    switch (message.type) {
      case 'sign-in':
        return send(toJson({ type: 'signed-in', address: member.signIn(message.token) }))
      case 'follow':
        return void follow(message.after)
      case 'open-stream':
        return void take(openStream(message))
    }
  }

  async function follow(after: string | undefined) {
    try {
      const { address, session } = member.current()
      if (isFollowing) throw new HubError('already_following', 'this connection follows its events')
      isFollowing = true
      await live.follow({ address, session, after }, listener()).catch((cause: unknown) => {
        isFollowing = false
        throw cause
      })
    } catch (error) {
      refuse({ request: null }, error)
    }
  }

  async function openStream({ request, commitment, signature }: OpenStreamRequest) {
    try {
      const { session } = member.current()
      const { number, ticks, amount } = await inTurn(() =>
        streams.open({ commitment, signature, session }),
      )
      send(toJson({ type: 'stream', request, stream: number, ticks, amount }))
    } catch (error) {
      refuse({ request }, error)
    }
  }

  function listener(): Listener {
    let sent: Promise<'drained' | 'gone'> = Promise.resolve('drained')
    return {
      write(telling: Telling) {
        for (const frame of telling.frames()) sent = sendEvent(frame)
      },
      drained: () => sent,
      beat: () => socket.ping(),
      end: () => socket.close(closeCodes.goingAway, 'the session ended'),
      onClose: (then: () => void) => socket.on('close', then),
    }
  }

  /** `frame` is text. */
  function sendEvent(frame: Buffer): Promise<'drained' | 'gone'> {
    if (!mayWrite()) return Promise.resolve('gone')
    return new Promise((resolve) => {
      socket.send(frame, { binary: false }, (error) => resolve(error ? 'gone' : 'drained'))
    })
  }

  function send(frame: string | Uint8Array) {
    if (mayWrite()) socket.send(frame)
  }

  /** Drops a reader who is too slow. */
  function mayWrite(): boolean {
    if (socket.readyState !== socket.OPEN) return false
    if (socket.bufferedAmount <= socketLimits.unsentBytes) return true
    socket.terminate()
    return false
  }

  function refuse(refused: { request: number | null; stream?: number }, error: unknown) {
    if (isOver) return
    const refusal =
      error instanceof FrameError
        ? new HubError('invalid_request', error.message, { values: { issues: [error.message] } })
        : asRefusal(error)
    if (refusal.code === 'internal_error') logFailure('WebSocket', error)
    answers.refused(refused, refusal)
    if (refusal.code === 'overloaded') end(closeCodes.tryAgainLater, 'the hub is busy')
    else if (admission.owes(sender)) end(closeCodes.policy, 'too many signatures were not right')
    else hear(socketLimits.noise.refusal)
  }

  /** Counts what makes work and pays nothing. */
  function hear(amount: number) {
    noise.add(amount)
    if (isOver || noise.owed() <= socketLimits.noise.burst) return
    admission.blame(sender, socketLimits.noise.blame)
    end(closeCodes.policy, 'too much of what is no payment')
  }

  /** Ends the connection and reads nothing more; whatever was not answered may be sent again on another. */
  function end(code: number, reason: string) {
    if (isOver) return
    isOver = true
    socket.close(code, reason)
    socket.pause()
    setTimeout(() => socket.terminate(), socketLimits.lingerMs).unref()
  }
}

/** Reads no further while too much is unanswered: the sender feels it as a full connection. */
function createBrake(
  socket: WebSocket,
  { admission, isOver }: { admission: Admission; isOver: () => boolean },
): (answered: Promise<void>) => Promise<void> {
  let unanswered = 0
  const most = () =>
    admission.isCrowded() ? socketLimits.unansweredInCrowd : socketLimits.unanswered

  return async (answered) => {
    unanswered += 1
    if (unanswered >= most()) socket.pause()
    await answered
    unanswered -= 1
    if (!isOver() && socket.isPaused && unanswered < most() / 2) socket.resume()
  }
}

/** Which request a text that was refused names, if any. */
function requestIn(text: string): number | null {
  const named = /"request"\s*:\s*(\d{1,10})\b/.exec(text)
  return named?.[1] === undefined ? null : Number(named[1])
}

/** Oversized and malformed frames, which `ws` answers with the right close code by itself. */
function isSendersFault(cause: Error & { code?: string }): boolean {
  return cause.code?.startsWith('WS_ERR_') ?? false
}
