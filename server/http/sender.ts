// Who sends: the address that limits are counted by. Behind a proxy it is the one that the proxy names.

import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

export type Senders = {
  /** The sender of a request. IPv6 networks of 64 bits count as one, because who has one address there has them all. */
  of(request: IncomingMessage): string
  /** The sender behind the address of a connection, or nothing when that is a proxy, which brings many. */
  ofConnection(address: string | undefined): string | undefined
}

type Network = [address: ipaddr.IPv4 | ipaddr.IPv6, bits: number]

/**
 * `proxies` are addresses and networks whose `X-Forwarded-For` is believed; anybody else's is not looked at.
 *
 * @throws Error when one of them is no address or network
 */
export function createSenders(proxies: readonly string[]): Senders {
  const networks = proxies.map(parseNetwork)
  const isProxy = (address: string) =>
    networks.some((network) => isWithin(ipaddr.process(address), network))

  return {
    of({ socket, headers }) {
      const peer = socket.remoteAddress ?? ''
      if (networks.length === 0 || isIP(peer) === 0 || !isProxy(peer)) return bucketOf(peer)
      const hops = String(headers['x-forwarded-for'] ?? '')
        .split(',')
        .map((hop) => hop.trim())
      const named = hops.findLast((hop) => isIP(hop) === 0 || !isProxy(hop))
      return bucketOf(named !== undefined && isIP(named) !== 0 ? named : peer)
    },
    ofConnection(address = '') {
      return networks.length > 0 && isIP(address) !== 0 && isProxy(address)
        ? undefined
        : bucketOf(address)
    },
  }
}

function bucketOf(address: string): string {
  if (isIP(address) !== 6) return address
  const parsed = ipaddr.process(address)
  if (parsed instanceof ipaddr.IPv4) return parsed.toString()
  return `${parsed.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`
}

function parseNetwork(text: string): Network {
  if (isIP(text) !== 0) {
    const address = ipaddr.process(text)
    return [address, address instanceof ipaddr.IPv4 ? 32 : 128]
  }
  if (!ipaddr.isValidCIDR(text)) throw new Error(`${text} is no address and no network`)
  return ipaddr.parseCIDR(text)
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: Network): boolean {
  if (address instanceof ipaddr.IPv4)
    return network instanceof ipaddr.IPv4 && address.match(network, bits)
  return network instanceof ipaddr.IPv6 && address.match(network, bits)
}
