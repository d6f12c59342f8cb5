// Signing in with a wallet (EIP-4361): a nonce that works once, a signed message for this hub, a bearer token kept as a hash.

import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Address, Hex, PublicClient } from 'viem'
import { parseSiweMessage } from 'viem/siwe'
import { HubError } from '#protocol/errors.ts'
import { lowerCase } from '#protocol/signature.ts'
import { isSignedMessage } from '../chain/wallet-signature.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { table } from '../store/table.ts'

type Session = { address: Address; expiresAt: number }

const sessionRows = table<Session>('session')

/** How long a nonce and a token live, and how old a signed message may be, in milliseconds. */
const lifetimes = { nonce: 600_000, token: 24 * 3_600_000 }

/** Nonces are kept in memory only; past this many, the oldest are forgotten. */
const maxNonces = 10_000

export type Sessions = {
  nonce(): { nonce: string; expiresAt: bigint }
  /** @throws HubError `session_rejected` with the reason */
  signIn(signed: {
    message: string
    signature: Hex
  }): Promise<{ token: string; address: Address; expiresAt: bigint }>
  signOut(request: IncomingMessage): Promise<void>
  /** What a request's session is told apart by; never the token itself. */
  idOf(request: IncomingMessage): string
  /** The address that a request is signed in as. @throws HubError `session_required` */
  addressOf(request: IncomingMessage): Address
  /** As {@link idOf} and {@link addressOf}, for a token that did not come in a header. */
  idOfToken(token: string): string
  addressOfToken(token: string): Address
  /** Whether the session with an id is still one. */
  isLive(id: string): boolean
  /** Whether the token is the operator's. @throws HubError `session_required` when there is none */
  isOperator(request: IncomingMessage): boolean
  /** @throws HubError `operator_required` */
  assertOperator(request: IncomingMessage): void
}

export function createSessions({
  db,
  log,
  chain,
  chainId,
  origin,
  operatorToken,
  now,
  randomBytes,
}: {
  db: Database
  log: GroupLog
  chain: Pick<PublicClient, 'verifyMessage' | 'verifyTypedData'>
  chainId: number
  origin: () => URL
  operatorToken: string
  now: () => number
  randomBytes: (count: number) => Uint8Array
}): Sessions {
  const nonces = new Map<string, number>()
  const operatorHash = hashOf(operatorToken)

  return {
    nonce() {
      const nonce = Buffer.from(randomBytes(16)).toString('hex')
      const expiresAt = now() + lifetimes.nonce
      nonces.set(nonce, expiresAt)
      const [oldest] = nonces.keys()
      if (nonces.size > maxNonces && oldest !== undefined) nonces.delete(oldest)
      return { nonce, expiresAt: BigInt(expiresAt) }
    },
    async signIn({ message, signature }) {
      const address = assertMessage(message)
      const valid = await isSignedMessage(chain, { address, message, signature })
      if (!valid) throw rejected(`the message is not signed by ${address}`)
      const token = Buffer.from(randomBytes(32)).toString('base64url')
      const expiresAt = now() + lifetimes.token
      log.assertRoom()
      await log.commit({ rows: [sessionRows.put(hashOf(token), { address, expiresAt })] })
      return { token, address, expiresAt: BigInt(expiresAt) }
    },
    async signOut(request) {
      addressOf(request)
      await log.commit({ rows: [sessionRows.remove(hashOf(bearerOf(request)))] })
    },
    idOf: (request) => hashOf(bearerOf(request)),
    addressOf,
    idOfToken: hashOf,
    addressOfToken,
    isLive: (id) => sessionOf(id) !== undefined,
    isOperator,
    assertOperator(request) {
      if (isOperator(request)) return
      throw new HubError('operator_required', 'this is not the operator’s token')
    },
  }

  function isOperator(request: IncomingMessage): boolean {
    const given = Buffer.from(hashOf(bearerOf(request)))
    return timingSafeEqual(given, Buffer.from(operatorHash))
  }

  function addressOf(request: IncomingMessage): Address {
    return addressOfToken(bearerOf(request))
  }

  function addressOfToken(token: string): Address {
    const session = sessionOf(hashOf(token))
    if (!session) throw new HubError('session_required', 'the token is unknown or has expired')
    return session.address
  }

  function sessionOf(id: string): Session | undefined {
    const session = sessionRows.get(db, id)
    return session && session.expiresAt > now() ? session : undefined
  }

  /** Checks everything in the message but the signature, uses up its nonce, and returns whose message it is. */
  function assertMessage(text: string): Address {
    const message = parseSiweMessage(text)
    assertAddressee(message, { here: origin(), chainId })
    assertTimes(message, now())
    const { address, nonce = '' } = message
    const expiry = nonces.get(nonce) ?? 0
    if (!address || expiry <= now()) throw rejected('its nonce is unknown or used')
    nonces.delete(nonce)
    return lowerCase(address)
  }
}

type SignInMessage = ReturnType<typeof parseSiweMessage>

function assertAddressee(
  message: SignInMessage,
  { here, chainId }: { here: URL; chainId: number },
) {
  const { address, domain, uri, version } = message
  if (!address || version !== '1') throw rejected('it is not an EIP-4361 message of version 1')
  if (domain !== here.host) throw rejected(`it is for ${domain}, this is ${here.host}`)
  if (uri === undefined || !URL.canParse(uri) || new URL(uri).origin !== here.origin) {
    throw rejected(`its URI is ${uri}, this is ${here.origin}`)
  }
  if (message.chainId !== chainId)
    throw rejected(`it is for chain ${message.chainId}, this is ${chainId}`)
}

function assertTimes({ issuedAt, expirationTime, notBefore }: SignInMessage, now: number) {
  const age = now - (issuedAt?.getTime() ?? 0)
  if (!(Math.abs(age) <= lifetimes.nonce))
    throw rejected('it was issued too long ago or in the future')
  if (expirationTime && expirationTime.getTime() <= now) throw rejected('it has expired')
  if (notBefore && notBefore.getTime() > now) throw rejected('it is not valid yet')
}

function bearerOf({ headers }: IncomingMessage): string {
  const match = /^Bearer ([\w-]{1,200})$/.exec(headers.authorization ?? '')
  if (!match?.[1]) throw new HubError('session_required', 'the request carries no bearer token')
  return match[1]
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function rejected(reason: string) {
  return new HubError('session_rejected', `the sign-in message was not accepted: ${reason}`, {
    values: { reason },
  })
}
