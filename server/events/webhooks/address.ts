// Which addresses a webhook may be sent to: those that are anybody's on the internet, never those of our own network.

import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Where an address leads. `refused` is everything that is neither plainly public nor plainly this machine. */
export type Reach = 'public' | 'loopback' | 'refused'

/** All that is given out for use on the internet; the rest of IPv6 is translation, documentation or not given out. */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3')

/** Within what looks public, an address that a cloud answers its own machines at (Azure, its platform and metadata). */
const platformAddress = '168.63.129.16'

/** Where an address leads, as it is, without what IPv6 may carry of IPv4 inside. */
export function reachOf(text: string): Reach {
  if (isIP(text) === 0 || text === platformAddress) return 'refused'
  const address = ipaddr.parse(text)
  const range = address.range()
  if (range === 'loopback') return 'loopback'
  if (range !== 'unicast') return 'refused'
  if (address instanceof ipaddr.IPv6 && !address.match(globalUnicast)) return 'refused'
  return 'public'
}
