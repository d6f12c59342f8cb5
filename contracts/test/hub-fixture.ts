// A hub on the shared chain: its account, its vault, and a channel of 1,000 base units that pays into it.

import {
  type Address,
  concatHex,
  encodeFunctionData,
  encodePacked,
  getAddress,
  type Hex,
} from 'viem'
import type { LocalAccount } from 'viem/accounts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { paymentTypes, vaultDomain } from '#protocol/payment.ts'
import {
  anyTips,
  keyOf,
  openChannel,
  packedRows,
  present,
  signTipVoucher,
  viem,
} from './fixture.ts'

export async function openHub() {
  const at = await openChannel()
  const clients = await viem.getWalletClients()
  const parties = {
    admin: present(clients[10]),
    operator: present(clients[11]),
    claimer: present(clients[12]),
    creator: present(clients[13]),
    fan: present(clients[14]),
  }
  const canonical = await viem.deployContract('PaymentChannels')
  const hub = await viem.deployContract('HubAccount', [
    keys.admin.address,
    keys.operator.address,
    at.channels.address,
    canonical.address,
  ])
  await hub.write.setClaimer([keys.claimer.address, true], { account: parties.admin.account })
  const vault = await viem.getContractAt('CreatorVault', await hub.read.vault())
  const config: ChannelConfig = {
    ...at.config,
    receiver: getAddress(vault.address),
    receiverAuthorizer: getAddress(hub.address),
  }
  const channelId = await at.channels.read.getChannelId([config])
  await at.channels.write.depositDirect([config, 1_000n])
  const chainId = await at.chain.getChainId()
  const payments = vaultDomain({ chainId, vault: vault.address })
  return { ...at, ...parties, canonical, hub, vault, config, channelId, payments }
}

/** A hub that has claimed 600 and credited 400 of it to the creator. */
export async function openCreditedHub() {
  const at = await openHub()
  const { hub, vault, channels, token, operator } = at
  const rows = [{ account: keys.creator.address, credited: 400n }]
  await hub.write.run(
    [
      [
        { target: channels.address, data: await claimData(at, 600n) },
        { target: vault.address, data: creditData(vault, { token: token.address, rows }) },
      ],
    ],
    { account: operator.account },
  )
  return at
}

export const keys = {
  admin: keyOf(10),
  operator: keyOf(11),
  claimer: keyOf(12),
  creator: keyOf(13),
  fan: keyOf(14),
}

export const journal: Hex = `0x${'ab'.repeat(32)}`
export const memo: Hex = `0x${'cd'.repeat(32)}`

type Hub = Awaited<ReturnType<typeof openHub>>

/** The call that claims up to a total on the hub's channel. */
export async function claimData(at: Hub, totalClaimed: bigint): Promise<Hex> {
  const { channels, config, channelId, voucherKey, domain } = at
  const voucher = { channelId, maxClaimableAmount: 1_000n, tips: anyTips }
  const signature = await signTipVoucher(voucherKey, domain, voucher)
  const rows = packedRows({ config, max: 1_000n, totalClaimed, signature, tips: anyTips })
  const { receiver, receiverAuthorizer, token, withdrawDelay } = config
  return encodeFunctionData({
    abi: channels.abi,
    functionName: 'claimPacked',
    args: [receiver, receiverAuthorizer, token, withdrawDelay, rows],
  })
}

/** The call that credits accounts. */
export function creditData(
  vault: Pick<Hub['vault'], 'abi'>,
  credit: { token: Address; rows: { account: Address; credited: bigint }[] },
): Hex {
  return encodeFunctionData({
    abi: vault.abi,
    functionName: 'credit',
    args: [credit.token, credit.rows, journal],
  })
}

/** The entries of `CreditedPacked`. */
export function creditedEntries(
  ...entries: (readonly [account: Address, credited: bigint])[]
): Hex {
  return concatHex(entries.map((entry) => encodePacked(['address', 'uint128'], entry)))
}

/** A payment of 100 by the creator, with whatever differs. */
export function paymentOf(at: Hub, change: Partial<Payment> = {}): Payment {
  return {
    account: keys.creator.address,
    token: getAddress(at.token.address),
    to: keys.fan.address,
    amount: 100n,
    memo,
    nonce: 5n,
    deadline: 1n << 40n,
    ...change,
  }
}

type Payment = {
  account: Address
  token: Address
  to: Address
  amount: bigint
  memo: Hex
  nonce: bigint
  deadline: bigint
}

export function signPayment(
  signer: LocalAccount,
  domain: ReturnType<typeof vaultDomain>,
  payment: Payment,
): Promise<Hex> {
  return signer.signTypedData({
    domain,
    types: paymentTypes,
    primaryType: 'Payment',
    message: payment,
  })
}

/** The arguments of `payWithSignature`. */
export function payArguments(payment: Payment, signature: Hex) {
  const { account, token, to, amount, nonce, deadline } = payment
  return [account, token, to, amount, payment.memo, nonce, deadline, signature] as const
}
