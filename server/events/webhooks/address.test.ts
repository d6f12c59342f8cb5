import assert from 'node:assert/strict'
import { reachOf } from './address.ts'

/** By what an address is, from the registries of IANA (special-purpose IPv4 and IPv6 addresses) and of clouds. */
const refused: { [what: string]: string[] } = {
  'this network': ['0.0.0.0', '0.1.2.3', '0.255.255.255'],
  private: ['10.0.0.0', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1'],
  'carrier-grade NAT': ['100.64.0.1', '100.127.255.255', '100.100.100.200'],
  'link-local, with metadata of clouds': ['169.254.0.1', '169.254.169.254', '169.254.170.2'],
  'platform of a cloud': ['168.63.129.16'],
  'protocol assignments': ['192.0.0.1', '192.0.0.192'],
  documentation: ['192.0.2.1', '198.51.100.1', '203.0.113.1'],
  '6to4 relays': ['192.88.99.1'],
  benchmarking: ['198.18.0.1', '198.19.255.255'],
  multicast: ['224.0.0.1', '239.255.255.255'],
  reserved: ['240.0.0.1', '255.255.255.254'],
  broadcast: ['255.255.255.255'],
  'unspecified IPv6': ['::', '0:0:0:0:0:0:0:0'],
  'IPv4 in IPv6, mapped': ['::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:8.8.8.8', '::ffff:a00:1'],
  'IPv4 in IPv6, compatible': ['::127.0.0.1', '::10.0.0.1', '::2'],
  'IPv4 in IPv6, translated': ['64:ff9b::7f00:1', '64:ff9b:1::a00:1', '::ffff:0:127.0.0.1'],
  'discard only': ['100::1'],
  'unique local': ['fc00::1', 'fd00:ec2::254', 'fdff:ffff::1'],
  'link-local IPv6': ['fe80::1', 'febf::1', 'fe80::1%eth0'],
  'site-local': ['fec0::1'],
  'multicast IPv6': ['ff02::1', 'ff0e::1'],
  'documentation IPv6': ['2001:db8::1', '3fff::1'],
  'Teredo and 6to4': ['2001::1', '2002:7f00:1::', '2002:a00:1::1'],
  'segment routing and not given out': ['5f00::1', '4000::1', '::1:0:0:0'],
  'no address': [
    '',
    'localhost',
    '127.1',
    '0x7f.0.0.1',
    '1.2.3',
    '1.2.3.4.5',
    '[::1]',
    'example.com',
  ],
}

describe('reachOf', () => {
  it('calls addresses public that are given out for the internet', () => {
    const addresses = ['1.1.1.1', '8.8.8.8', '172.15.255.255', '172.32.0.0', '100.63.255.255']
    addresses.push('100.128.0.0', '169.253.255.255', '223.255.255.255', '126.255.255.255')
    addresses.push('2606:4700::1111', '2a00:1450:4001::1', '2400:cb00::1')
    for (const address of addresses) assert.equal(reachOf(address), 'public', address)
  })

  it('calls addresses of this machine loopback', () => {
    for (const address of ['127.0.0.1', '127.255.255.254', '::1']) {
      assert.equal(reachOf(address), 'loopback', address)
    }
  })

  for (const [what, addresses] of Object.entries(refused)) {
    it(`refuses what is ${what}`, () => {
      for (const address of addresses) assert.equal(reachOf(address), 'refused', address)
    })
  }
})
