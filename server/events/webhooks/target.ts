// Where a webhook may go: which URLs are taken, and, each time anew, which addresses a name stands for. Both are checked when
// an endpoint is registered and again for every connection, because names are rebound.

import type { LookupAddress } from 'node:dns'
import { isIP } from 'node:net'
import { HubError } from '#protocol/errors.ts'
import { reachOf } from './address.ts'

/** Answers all addresses of a name. Fails, or answers none, when it has none. */
export type Resolve = (name: string) => Promise<string[]>

export type Targets = {
  /** The URL in its normal form. @throws HubError `webhook_url_refused` */
  assertAllowed(url: string): Promise<string>
  /** The addresses to connect to. @throws HubError `webhook_url_refused` */
  addressesOf(url: URL): Promise<LookupAddress[]>
}

/** The lowest port that is not reserved for system services; of those below, only https is taken. */
const firstOpenPort = 1_024

/** `local` is for development: it also takes http, and then only to the machine itself. */
export function createTargets({ resolve, local }: { resolve: Resolve; local: boolean }): Targets {
  return {
    async assertAllowed(text) {
      const url = new URL(text)
      assertForm(url)
      await addressesOf(url)
      return url.href
    },
    addressesOf,
  }

  function assertForm(url: URL) {
    const { protocol, username, password, hash, port } = url
    if (protocol !== 'https:' && !(local && protocol === 'http:')) {
      throw refused(url, `it is ${protocol.slice(0, -1)}, not https`)
    }
    if (username !== '' || password !== '') throw refused(url, 'it carries a user or password')
    if (hash !== '') throw refused(url, 'it carries a fragment')
    if (port !== '' && Number(port) < firstOpenPort) {
      throw refused(url, `port ${port} is a system service's`)
    }
  }

  async function addressesOf(url: URL): Promise<LookupAddress[]> {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const found = isIP(host) === 0 ? await resolved(url, host) : [host]
    if (found.length === 0 || !found.every((address) => isAllowed(url, address))) {
      throw refused(url, elsewhere)
    }
    return found.map((address) => ({ address, family: isIP(address) }))
  }

  async function resolved(url: URL, name: string): Promise<string[]> {
    if (local && name === 'localhost') return ['127.0.0.1']
    try {
      return await resolve(name)
    } catch (cause) {
      throw refused(url, elsewhere, cause)
    }
  }

  function isAllowed({ protocol }: URL, address: string): boolean {
    const reach = reachOf(address)
    if (reach === 'loopback') return local
    return reach === 'public' && protocol === 'https:'
  }
}

/**
 * The only answer to a name that cannot be used, whatever it stands for: which names our own network knows is nobody's
 * business. One address that is not allowed spoils all of a name, because who answers both is up to something.
 */
const elsewhere = 'it does not lead to addresses on the internet, and only there'

function refused({ href }: URL, reason: string, cause?: unknown) {
  return new HubError('webhook_url_refused', `${href} cannot be a webhook: ${reason}`, {
    values: { reason },
    cause,
  })
}
