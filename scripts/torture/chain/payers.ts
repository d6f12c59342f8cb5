// Payers who tip and leave: their channels, what was charged on them, and their withdrawals, sent with nothing but a key.

import type { Address, Hex, PrivateKeyAccount } from 'viem'
import { createWalletClient, encodeFunctionData, http, parseGwei } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelId, channelsDomain, channelsDomainSeparator } from '#protocol/channel.ts'
import { toJson } from '#protocol/messages/wire.ts'
import { lowerCase } from '#protocol/signature.ts'
import { tipTo, tipVoucherTypes } from '#protocol/tip.ts'
import type { World } from '../../world/world.ts'

/** A channel with its payer's key. Base units. */
export type Payer = {
  account: PrivateKeyAccount
  config: ChannelConfig
  id: Hex
  deposited: bigint
  charged: bigint
}

const random32 = generatePrivateKey

/** More than any block of a campaign asks. */
const payersFee = parseGwei('5000')

/** Opens a channel with a deposit, by transactions of the payer. */
export async function openPayer(world: World, deposited: bigint): Promise<Payer> {
  const { deployment, token, chain } = world
  const account = privateKeyToAccount(generatePrivateKey())
  const payer = lowerCase(account.address)
  await chain.setBalance({ address: payer, value: parseGwei('1000000000000') })
  await world.mint(payer, deposited)
  const config = {
    payer,
    payerAuthorizer: payer,
    receiver: deployment.vault,
    receiverAuthorizer: deployment.hubAccount,
    token: token.address,
    withdrawDelay: 86_400,
    salt: random32(),
  }
  const contract = { chainId: deployment.chainId, address: deployment.channels }
  const opened: Payer = {
    account,
    config,
    id: channelId(config, channelsDomainSeparator(contract)),
    deposited,
    charged: 0n,
  }
  const args = [deployment.channels, deposited] as const
  const approval = encodeFunctionData({ abi: testTokenAbi, functionName: 'approve', args })
  await mined(world, await sendAs(world, account, { to: token.address, data: approval }))
  await mined(world, await callChannels(world, opened, 'depositDirect', [config, deposited]))
  return opened
}

/** Tips one creator, with a ceiling that may be higher than what is charged then. Throws unless it is accepted. */
export async function tipAs(
  world: World,
  payer: Payer,
  { to, amount, above }: { to: Address; amount: bigint; above: bigint },
) {
  const { deployment, hub } = world
  const charged = payer.charged + amount
  const voucher = {
    channelId: payer.id,
    maxClaimableAmount: charged + above,
    tips: [{ to: tipTo(lowerCase(to)), amount, ref: random32() }],
  }
  const signature = await payer.account.signTypedData({
    domain: channelsDomain({ chainId: deployment.chainId, address: deployment.channels }),
    types: tipVoucherTypes,
    primaryType: 'TipVoucher',
    message: voucher,
  })
  const response = await fetch(new URL('/v1/tips', hub.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: toJson({ ...voucher, signature }),
  })
  if (response.status !== 200) throw new Error(`a tip was refused: ${await response.text()}`)
  payer.charged = charged
}

/** Sends a call of the channels contract; it is mined when a block is. */
export function callChannels(
  world: World,
  { account }: Payer,
  functionName: 'depositDirect' | 'initiateWithdraw' | 'finalizeWithdraw' | 'settle',
  args: readonly unknown[],
): Promise<Hex> {
  const call = { abi: paymentChannelsAbi, functionName, args } as Parameters<
    typeof encodeFunctionData
  >[0]
  const data = encodeFunctionData(call)
  return sendAs(world, account, { to: world.deployment.channels, data })
}

export async function mined({ chain }: World, hash: Hex) {
  const { status } = await chain.waitForTransactionReceipt({ hash })
  if (status !== 'success') throw new Error(`transaction ${hash} was reverted`)
}

function sendAs(
  { rpcUrl }: World,
  account: PrivateKeyAccount,
  { to, data }: { to: Address; data: Hex },
): Promise<Hex> {
  const wallet = createWalletClient({ account, chain: hardhat, transport: http(rpcUrl) })
  const fees = { maxFeePerGas: payersFee, maxPriorityFeePerGas: 1n }
  return wallet.sendTransaction({ to, data, gas: 300_000n, ...fees })
}
