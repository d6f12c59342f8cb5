import assert from 'node:assert/strict'
import type { z } from 'zod'
import { changed, describeMessage } from '../testing/message.ts'
import {
  creatorAmounts,
  creatorAmountsAnswer,
  creatorRequest,
  creatorView,
  hubInfo,
  nonceAnswer,
  sessionAnswer,
  sessionRequest,
} from './hub.ts'

const address = `0x${'a1'.repeat(20)}`
const hash = `0x${'b2'.repeat(32)}`
const walletSignature = `0x${'d4'.repeat(70)}`
const token = {
  address,
  name: 'Jandon Test Dollar',
  version: '1',
  symbol: 'JTD',
  decimals: 6,
  minimumDeposit: '7',
  relayFee: '7',
}
const info = {
  protocol: 'jandon/1',
  chainId: 31_337,
  channels: { address, features: ['claimPacked'] },
  hubAccount: address,
  vault: address,
  collectors: { erc3009: address },
  receiver: address,
  receiverAuthorizer: address,
  withdrawDelay: { minimum: 900, maximum: 2_592_000 },
  tokens: [token],
  tipFeeBasisPoints: 100,
  feeAccount: address,
  treasury: address,
  receiptSigner: address,
  epoch: hash,
  group: '11',
  confirmations: 2,
  signatureBackend: 'secp256k1',
  rails: [{ id: 'sepa', currencies: ['EUR'] }],
  rates: [
    {
      token: address,
      currency: 'EUR',
      numerator: '13',
      denominator: '17',
      source: 'operator',
      asOf: '11',
    },
  ],
  limits: {
    bodyBytes: 262_144,
    tipsPerBasket: 256,
    pageSize: 100,
    ticksPerReveal: 64,
    streamIdleMs: 60_000,
  },
}
const session = { message: 'localhost wants you to sign in', signature: walletSignature }
const creator = { handle: 'busker', account: address, displayName: 'The Busker' }
const registration = { ...creator, signature: walletSignature }
const amounts = { token: address, accepted: '7', claimed: '7', yours: '7', paid: '7' }

const takes = (schema: z.ZodType, value: unknown) => schema.safeParse(value).success

describeMessage('hubInfo', hubInfo, { sample: info, kind: 'answer' })
describeMessage('nonceAnswer', nonceAnswer, {
  sample: { nonce: 'abcdefgh', expiresAt: '11' },
  kind: 'answer',
})
describeMessage('sessionRequest', sessionRequest, { sample: session, kind: 'request' })
describeMessage('sessionAnswer', sessionAnswer, {
  sample: { token: 'secret', address, expiresAt: '11' },
  kind: 'answer',
})
describeMessage('creatorRequest', creatorRequest, { sample: registration, kind: 'request' })
describeMessage('creatorView', creatorView, { sample: creator, kind: 'answer' })
describeMessage('creatorAmounts', creatorAmounts, { sample: amounts, kind: 'answer' })
describeMessage('creatorAmountsAnswer', creatorAmountsAnswer, {
  sample: { creator, amounts: [amounts] },
  kind: 'answer',
})

describe('hubInfo: limits', () => {
  it('takes 0 to 36 decimals', () => {
    const withDecimals = (decimals: number) => changed(info, ['tokens', 0, 'decimals'], decimals)
    for (const decimals of [0, 36]) assert.ok(takes(hubInfo, withDecimals(decimals)))
    for (const decimals of [-1, 37, 6.5]) assert.ok(!takes(hubInfo, withDecimals(decimals)))
  })
  it('refuses another protocol', () => {
    for (const protocol of ['jandon/2', 'jandon', '']) {
      assert.ok(!takes(hubInfo, { ...info, protocol }))
    }
  })
})

describe('sessionRequest: limits', () => {
  it('takes messages of 1 to 4096 characters', () => {
    for (const length of [1, 4_096]) {
      assert.ok(takes(sessionRequest, { ...session, message: 'x'.repeat(length) }))
    }
    for (const length of [0, 4_097]) {
      assert.ok(!takes(sessionRequest, { ...session, message: 'x'.repeat(length) }))
    }
  })
})

describe('creatorRequest: limits', () => {
  it('takes handles of 2 to 30 characters as handlePattern has them', () => {
    for (const handle of ['ab', 'a'.repeat(30)]) {
      assert.ok(takes(creatorRequest, { ...registration, handle }))
    }
    for (const handle of ['', 'a', 'a'.repeat(31), 'Busker', '@busker', 'a b', 'ab\n', 'ä2']) {
      assert.ok(!takes(creatorRequest, { ...registration, handle }))
    }
  })
  it('takes display names of 1 to 60 characters that are not blank', () => {
    for (const displayName of ['x', '거리의 악사', 'x'.repeat(60)]) {
      assert.ok(takes(creatorRequest, { ...registration, displayName }))
    }
    for (const displayName of ['', ' ', '\u3000', 'a\u0000b', 'a\nb', '\ud800', 'x'.repeat(61)]) {
      assert.ok(!takes(creatorRequest, { ...registration, displayName }))
    }
  })
})
