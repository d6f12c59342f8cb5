// Who a connection is signed in as. The session is looked up again at most once a second, so that it ends here too.

import type { Address } from 'viem'
import { HubError } from '#protocol/errors.ts'
import type { Sessions } from '../http/sessions.ts'

export type Member = {
  /** @throws HubError `session_required`, `already_signed_in` */
  signIn(token: string): Address
  /** @throws HubError `session_required` before the sign-in, and when the session is over */
  current(): { address: Address; session: string }
}

const lookedUpForMs = 1_000

/** `now` in milliseconds, from any beginning. */
export function createMember(sessions: Sessions, now: () => number): Member {
  let member: { address: Address; session: string; token: string; lookedUpAt: number } | undefined

  return {
    signIn(token) {
      const address = sessions.addressOfToken(token)
      const session = sessions.idOfToken(token)
      if (member && member.session !== session) {
        throw new HubError('already_signed_in', 'this connection belongs to another session')
      }
      member = { address, session, token, lookedUpAt: now() }
      return address
    },
    current() {
      if (!member) throw new HubError('session_required', 'this connection has not signed in')
      if (now() - member.lookedUpAt > lookedUpForMs) {
        sessions.addressOfToken(member.token)
        member.lookedUpAt = now()
      }
      return member
    },
  }
}
