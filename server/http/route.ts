// What routes are made of: a path with its methods, an answer, and what is read from paths and queries.

import type { Express, Request, RequestHandler, Response } from 'express'
import type { Hex } from 'viem'
import { z } from 'zod'
import { HubError } from '#protocol/errors.ts'
import { handle, hash } from '#protocol/messages/wire.ts'
import type { Hub } from '../hub.ts'
import { checkShape } from './json-body.ts'
import { pageSize } from './limits.ts'
import { answerText } from './problem.ts'

const page = z.object({
  limit: z
    .string()
    .regex(/^[1-9]\d{0,5}$/, 'must be a whole number in decimal digits')
    .transform(Number)
    .refine((limit) => limit <= pageSize, `must be at most ${pageSize}`)
    .default(20),
  cursor: z.string().max(64).optional(),
})

/** Registers a path with what it does for each method, and refuses every other method. */
export function route(
  app: Express,
  path: string,
  handlers: { [M in 'get' | 'post' | 'delete']?: RequestHandler },
) {
  for (const [method, handler] of Object.entries(handlers))
    app[method as keyof typeof handlers](path, handler)
  const allow = Object.keys(handlers).map((method) => method.toUpperCase())
  app.all(path, (request) => {
    throw new HubError('method_not_allowed', `${request.path} does not take ${request.method}`, {
      values: { allow },
    })
  })
}

/** A handler for the operator alone. */
export function operator(
  { sessions }: Pick<Hub, 'sessions'>,
  handler: RequestHandler,
): RequestHandler {
  return (request, response, next) => {
    sessions.assertOperator(request)
    return handler(request, response, next)
  }
}

export function answer(response: Response, status: number, body: unknown) {
  answerText(response, { status }, body)
}

export function hashParameter(request: Request, name: string): Hex {
  return checkShape(request.params[name], hash)
}

export function pageOf(request: Request): { limit: number; cursor: string | undefined } {
  const { limit, cursor } = checkShape(request.query, page)
  return { limit, cursor }
}

/** The creator of the path, who must be the session's. */
export function ownCreator(
  { creators, sessions }: Pick<Hub, 'creators' | 'sessions'>,
  request: Request,
) {
  const name = checkShape(request.params['handle'], handle)
  const address = sessions.addressOf(request)
  const creator = creators.byHandle(name)
  assertOwner(address, creator.account)
  return creator
}

export function assertOwner(address: Hex, owner: Hex) {
  if (address !== owner)
    throw new HubError('not_yours', `this belongs to ${owner}, the session is of ${address}`)
}
