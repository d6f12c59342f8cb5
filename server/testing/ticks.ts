// The payer side of streams for tests: commitments that are signed, preimages, and baskets that end a stream.

import type { Address, Hex } from 'viem'
import { hexToBytes } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelId, channelsDomain, channelsDomainSeparator } from '#protocol/channel.ts'
import { lowerCase } from '#protocol/signature.ts'
import type { TickCommitment } from '#protocol/tick.ts'
import { createTickChain, tickCommitmentTypes } from '#protocol/tick.ts'
import { tipTo } from '#protocol/tip.ts'
import { newChannel } from '../channels/channel.ts'
import type { Books } from './books.ts'
import type { ChainFixture, FundedChannel } from './chain.ts'
import { signTip } from './chain.ts'
import { randomHash } from './disk.ts'

export type Committed = Awaited<ReturnType<typeof commitTo>>

export type Terms = Partial<Omit<TickCommitment, 'to'>> & { to: Address }

/** A commitment on a channel, signed by its payer, with what pays its ticks. `seed` is fresh unless it is given. */
export async function commitTo(
  channel: FundedChannel,
  { to, seed = randomHash(), ...terms }: Terms & { seed?: Hex },
) {
  const { baseAmount = 0n, maxTicks = 100 } = terms
  const chain = createTickChain(seed, { channelId: channel.id, baseAmount, maxTicks })
  const commitment: TickCommitment = {
    channelId: channel.id,
    to: tipTo(to),
    baseAmount,
    tickAmount: 10n,
    maxTicks,
    root: chain.root,
    ...terms,
  }
  return {
    commitment,
    signature: await signCommitment(channel, commitment),
    paying: (ticks: number) => ({ ticks, preimage: hexToBytes(chain.preimage(ticks)) }),
  }
}

export function signCommitment({ contract, payer }: FundedChannel, message: TickCommitment) {
  const domain = channelsDomain({ chainId: hardhat.id, address: contract })
  return payer.signTypedData({
    domain,
    types: tickCommitmentTypes,
    primaryType: 'TickCommitment',
    message,
  })
}

/** The basket that ends a stream after so many ticks. */
export function signEnd(
  channel: FundedChannel,
  { commitment }: Committed,
  { ticks, maximum }: { ticks: number; maximum?: bigint },
) {
  const { to, tickAmount, baseAmount, root } = commitment
  const amount = tickAmount * BigInt(ticks)
  return signTip(channel, {
    to: `0x${to.slice(26)}`,
    amount,
    maximum: maximum ?? baseAmount + amount,
    ref: root,
  })
}

/** A channel that the books know of and no chain: for what needs no claim. */
export async function bookChannel(
  { channels, log }: Books,
  { deployment, token }: ChainFixture,
  { balance = 10_000n }: { balance?: bigint } = {},
): Promise<FundedChannel> {
  const payer = privateKeyToAccount(generatePrivateKey())
  const { vault, hubAccount, channels: contract } = deployment
  const config: ChannelConfig = {
    payer: lowerCase(payer.address),
    payerAuthorizer: lowerCase(payer.address),
    receiver: vault,
    receiverAuthorizer: hubAccount,
    token,
    withdrawDelay: 86_400,
    salt: randomHash(),
  }
  const id = channelId(config, channelsDomainSeparator({ chainId: hardhat.id, address: contract }))
  const terms = {
    contract,
    receiver: vault,
    receiverAuthorizer: hubAccount,
    tokens: [token],
    withdrawDelay: { minimum: 86_400, maximum: 2_592_000 },
  }
  const channel = { ...newChannel(id, { config, contract, terms }), balance }
  await log.commit({ rows: [channels.update(channel)] })
  return { id, config, contract, payer }
}
