// A paid request as the npm client makes it, signed with the native binding: the client's own signing would take a minute.

import { encodePaymentSignatureHeader } from '@x402/core/http'
import type { PaymentPayload, PaymentRequired } from '@x402/core/types'
import { voucherDigest } from '#protocol/voucher.ts'
import { createDigestSigner } from '#server/channels/signature-backend.ts'
import type { OpenedChannel } from '../channels.ts'

/** Signs vouchers of one channel; the result makes the payment that raises its total to `maxClaimableAmount` base units. */
export function createPayer(
  { config, channelId, key, separator }: OpenedChannel,
  { accepts: [accepted], resource }: PaymentRequired,
): (maxClaimableAmount: bigint) => PaymentPayload {
  if (!accepted) throw new Error('the shop accepts nothing')
  const sign = createDigestSigner(key)
  return (maxClaimableAmount) => ({
    x402Version: 2,
    payload: {
      type: 'voucher',
      channelConfig: config,
      voucher: {
        channelId,
        maxClaimableAmount: String(maxClaimableAmount),
        signature: sign(voucherDigest({ channelId, maxClaimableAmount }, separator)),
      },
    },
    ...(resource && { resource }),
    accepted,
  })
}

/** The header that carries a payment. */
export function paymentHeader(payment: PaymentPayload) {
  return { 'payment-signature': encodePaymentSignatureHeader(payment) }
}
