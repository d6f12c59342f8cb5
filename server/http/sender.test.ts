import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { createSenders } from './sender.ts'

describe('createSenders', () => {
  function senderOf(proxies: readonly string[], remoteAddress: string, forwarded?: string) {
    const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
    return createSenders(proxies).of({ headers, socket: { remoteAddress } } as IncomingMessage)
  }

  it('takes the address of the connection, whatever is claimed, when no proxy is set', () => {
    assert.equal(senderOf([], '192.0.2.1', '198.51.100.7'), '192.0.2.1')
  })

  it('believes a proxy, and the last address that is not a proxy itself', () => {
    const proxies = ['10.0.0.0/8', '::1']
    assert.equal(senderOf(proxies, '10.1.2.3', '198.51.100.7'), '198.51.100.7')
    assert.equal(senderOf(proxies, '::1', '203.0.113.9, 198.51.100.7, 10.9.9.9'), '198.51.100.7')
    assert.equal(senderOf(proxies, '::ffff:10.1.2.3', '198.51.100.7'), '198.51.100.7')
  })

  it('does not believe who is no proxy', () => {
    assert.equal(senderOf(['10.0.0.1'], '10.0.0.2', '198.51.100.7'), '10.0.0.2')
  })

  it('takes the proxy itself when it names nobody', () => {
    for (const named of [undefined, '', 'unknown', '1.2.3.4.5'])
      assert.equal(senderOf(['10.0.0.1'], '10.0.0.1', named), '10.0.0.1')
  })

  it('counts IPv4 in IPv6 as IPv4, and an IPv6 network of 64 bits as one sender', () => {
    assert.equal(senderOf([], '::ffff:192.0.2.1'), '192.0.2.1')
    assert.equal(senderOf([], '2001:db8:1:2:3::4'), senderOf([], '2001:db8:1:2::9'))
    assert.notEqual(senderOf([], '2001:db8:1:2::4'), senderOf([], '2001:db8:1:3::4'))
  })

  it('knows no sender behind the connection of a proxy', () => {
    const { ofConnection } = createSenders(['10.0.0.1'])
    assert.equal(ofConnection('10.0.0.1'), undefined)
    assert.equal(ofConnection('192.0.2.1'), '192.0.2.1')
  })

  it('refuses to be set up with what is no address', () => {
    assert.throws(() => createSenders(['proxy.example']), /no address and no network/)
  })
})
