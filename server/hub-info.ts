// What the hub says about itself, and the terms on which it gives credit: both read off the configuration.

import type { Hex } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { withdrawDelayBounds } from '#protocol/channel.ts'
import type { HandOver } from '#protocol/hand-over.ts'
import type { HubInfo } from '#protocol/messages/hub.ts'
import { lowerCase } from '#protocol/signature.ts'
import { tipsPerBasket } from '#protocol/tip.ts'
import type { ChannelTerms } from './channels/channel.ts'
import type { Config } from './config.ts'
import { maxBodyBytes, pageSize } from './http/limits.ts'
import { isoRail } from './payouts/quotes.ts'

/** What a channel has to look like for credit (R7). */
export function channelTerms({ deployment, JANDON_MIN_WITHDRAW_DELAY_S }: Config): ChannelTerms {
  return {
    contract: deployment.channels,
    receiver: deployment.vault,
    receiverAuthorizer: deployment.hubAccount,
    tokens: deployment.tokens.map(({ address }) => address),
    withdrawDelay: { minimum: JANDON_MIN_WITHDRAW_DELAY_S, maximum: withdrawDelayBounds.maximum },
  }
}

/** The answer of `/.well-known/jandon`. */
export function hubInfo(
  config: Config,
  {
    epoch,
    group,
    backend,
    handOvers,
  }: { epoch: Hex; group: bigint; backend: string; handOvers: readonly HandOver[] },
): HubInfo {
  const { deployment, depositTerms } = config
  return {
    protocol: 'jandon/1',
    chainId: deployment.chainId,
    channels: {
      address: deployment.channels,
      features: ['tip-voucher', 'claim-packed', 'deposit-direct', 'ticks'],
    },
    hubAccount: deployment.hubAccount,
    vault: deployment.vault,
    collectors: { erc3009: deployment.erc3009Collector },
    receiver: deployment.vault,
    receiverAuthorizer: deployment.hubAccount,
    withdrawDelay: channelTerms(config).withdrawDelay,
    tokens: deployment.tokens.map((token) => {
      const terms = depositTerms.find((candidate) => candidate.token === token.address)
      return {
        ...token,
        minimumDeposit: terms?.minimumDeposit ?? 0n,
        relayFee: terms?.relayFee ?? 0n,
      }
    }),
    tipFeeBasisPoints: config.JANDON_TIP_FEE_BPS,
    feeAccount: config.JANDON_FEE_ACCOUNT,
    treasury: config.JANDON_TREASURY,
    receiptSigner: lowerCase(privateKeyToAccount(config.JANDON_RECEIPT_KEY).address),
    handOvers: [...handOvers],
    epoch,
    group,
    confirmations: config.JANDON_CONFIRMATIONS,
    signatureBackend: backend,
    rails: config.JANDON_BANK_URL
      ? [{ id: isoRail, currencies: [...new Set(config.rates.map((rate) => rate.currency))] }]
      : [],
    rates: config.rates.map(({ asOf, ...rate }) => ({ ...rate, asOf: BigInt(asOf) })),
    limits: {
      bodyBytes: maxBodyBytes,
      tipsPerBasket: tipsPerBasket.maximum,
      pageSize,
      ticksPerReveal: config.JANDON_TICKS_PER_REVEAL,
      streamIdleMs: config.JANDON_STREAM_IDLE_MS,
    },
  }
}
