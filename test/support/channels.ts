// Channels that were opened on the chain, and the tips that are sent on them.

import type { Abi, Address, Hex, PrivateKeyAccount } from 'viem'
import { parseAbi } from 'viem'
import { paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { tokenDomain } from '#protocol/deposit.ts'
import type { ChannelView } from '#protocol/messages/tips.ts'
import { channelView } from '#protocol/messages/tips.ts'
import type { Tip } from '#protocol/tip.ts'
import type { Answer } from './http.ts'
import { assertAnswer } from './http.ts'
import type { HubFixture } from './hub.ts'
import { newParty, transact } from './hub.ts'
import { channelIdOf, configFor, signBasket, signIn, unit } from './paper.ts'

/** A channel with the keys of its payer side. */
export type OpenChannel = {
  id: Hex
  config: ChannelConfig
  payer: PrivateKeyAccount
  authorizer: PrivateKeyAccount
  token: string
}

/** Opens a channel by `depositDirect`, so that the hub learns of it from the chain alone. `token` is a session's. */
export async function openChannel(
  hub: HubFixture,
  {
    deposit = 10n * unit,
    authorizer: key,
    changes = {},
    contract = hub.info.channels.address,
  }: {
    deposit?: bigint
    authorizer?: PrivateKeyAccount
    changes?: Partial<ChannelConfig>
    contract?: Address
  } = {},
): Promise<OpenChannel> {
  const payer = await newParty(hub, { tokens: deposit })
  const authorizer = key ?? payer
  const config = configFor(hub, payer, {
    payerAuthorizer: authorizer.address.toLowerCase() as Address,
    ...changes,
  })
  await depositDirect(hub, payer, { config, amount: deposit, contract })
  const id = channelIdOf(hub, config, contract)
  return { id, config, payer, authorizer, token: await signIn(hub, payer) }
}

/** Puts tokens of `from` into a channel, whoever its payer is. */
export async function depositDirect(
  hub: HubFixture,
  from: PrivateKeyAccount,
  {
    config,
    amount,
    contract = hub.info.channels.address,
  }: { config: ChannelConfig; amount: bigint; contract?: Address },
) {
  await transact(hub, from, {
    address: config.token,
    abi: testTokenAbi as Abi,
    functionName: 'approve',
    args: [contract, amount],
  })
  await onChannels(hub, from, { functionName: 'depositDirect', args: [config, amount], contract })
}

/** Calls the channels contract. */
export async function onChannels(
  hub: HubFixture,
  from: PrivateKeyAccount,
  {
    functionName,
    args,
    contract = hub.info.channels.address,
  }: { functionName: string; args: readonly unknown[]; contract?: Address },
) {
  const abi = paymentChannelsAbi as Abi
  return transact(hub, from, { address: contract, abi, functionName, args })
}

/** Signs tips up to a maximum, by default what the hub charged plus their total, and sends them. */
export async function sendTips(
  hub: HubFixture,
  channel: OpenChannel,
  tips: readonly Tip[],
  maxClaimableAmount?: bigint,
): Promise<Answer> {
  const max = maxClaimableAmount ?? (await nextMaximum(hub, channel, tips))
  const { id, authorizer: by } = channel
  const body = await signBasket(hub, { channelId: id, tips, maxClaimableAmount: max, by })
  return hub.call({ path: '/v1/tips', body })
}

/** A channel as its payer sees it. */
export async function viewOf(
  hub: HubFixture,
  { id, token }: Pick<OpenChannel, 'id' | 'token'>,
): Promise<ChannelView> {
  const answer = await hub.call({ path: `/v1/channels/${id}`, token })
  return channelView.parse(assertAnswer(answer, 200))
}

async function nextMaximum(hub: HubFixture, channel: OpenChannel, tips: readonly Tip[]) {
  const { amounts } = await viewOf(hub, channel)
  return tips.reduce((sum, { amount }) => sum + amount, amounts.charged + amounts.held)
}

/** Cancels an ERC-3009 authorization of a wallet at the token. */
export async function cancelAuthorization(hub: HubFixture, account: PrivateKeyAccount, nonce: Hex) {
  const { token } = hub.world
  const signature = await account.signTypedData({
    domain: tokenDomain(token, hub.info.chainId),
    types: {
      CancelAuthorization: [
        { name: 'authorizer', type: 'address' },
        { name: 'nonce', type: 'bytes32' },
      ],
    },
    primaryType: 'CancelAuthorization',
    message: { authorizer: account.address, nonce },
  })
  const abi = parseAbi([
    'function cancelAuthorization(address authorizer, bytes32 nonce, bytes signature)',
  ])
  const args = [account.address, nonce, signature]
  await transact(hub, account, {
    address: token.address,
    abi,
    functionName: 'cancelAuthorization',
    args,
  })
}
