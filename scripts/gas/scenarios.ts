// One scenario per figure: what stands on chain before, and the one transaction whose gas counts.

import type { Hex } from 'viem'
import { encodeFunctionData } from 'viem'
import { creatorVaultAbi, paymentChannelsAbi } from '#protocol/abi.ts'
import { channelId } from '#protocol/channel.ts'
import {
  collectorData,
  depositNonce,
  receiveWithAuthorizationTypes,
  tokenDomain,
} from '#protocol/deposit.ts'
import { packClaims } from '#protocol/packed-claim.ts'
import { createTickChain, tickCommitmentDigest, tickedAmount } from '#protocol/tick.ts'
import { tipsHash, tipTo, tipVoucherDigest } from '#protocol/tip.ts'
import { voucherDigest } from '#protocol/voucher.ts'
import type { GasChain } from './chain.ts'
import { random, randomAddress, randomAmount, randomKey } from './chain.ts'

/** What is measured: `per` is the number of things that one transaction does, `atMost` what each may cost. */
export type Scenario = {
  key: string
  what: string
  per: number
  atMost?: number
  /** Prepares the chain and sends the transaction. */
  send(at: GasChain): Promise<Hex>
}

/** The figures that the project promises, by the names that it promises them under. */
export const promised: readonly Scenario[] = [
  {
    key: 'deposit.erc3009.first',
    what: 'gasless first deposit of a payer, relayed',
    per: 1,
    atMost: 115_000,
    send: (at) => deposit(at, 'first'),
  },
  {
    key: 'claim.perChannel.100',
    what: 'standard claim, 100 channels, through the hub account',
    per: 100,
    atMost: 19_000,
    send: (at) => claim(at, 100),
  },
  {
    key: 'claimPacked.perChannel.10',
    what: 'packed claim, 10 tip vouchers, through the hub account',
    per: 10,
    atMost: 17_500,
    send: (at) => claimPacked(at, 10),
  },
  {
    key: 'claimPacked.perChannel.100',
    what: 'packed claim, 100 tip vouchers, through the hub account',
    per: 100,
    atMost: 14_800,
    send: (at) => claimPacked(at, 100),
  },
  { key: 'settle', what: 'settle to the vault, by anyone', per: 1, atMost: 46_000, send: settle },
  {
    key: 'claimTicks.perTick.1000',
    what: 'claim of 1,000 ticks of one stream, through the hub account',
    per: 1000,
    atMost: 140,
    send: (at) => claimTicks(at, 1000),
  },
  {
    key: 'vault.credit.known.300',
    what: 'credit, 300 accounts credited before, with the settlement it begins with',
    per: 300,
    atMost: 6_500,
    send: (at) => credit(at, { count: 300, known: true }),
  },
  {
    key: 'vault.credit.new.300',
    what: 'credit, 300 accounts never credited, with the settlement it begins with',
    per: 300,
    atMost: 24_000,
    send: (at) => credit(at, { count: 300, known: false }),
  },
  {
    key: 'vault.pay',
    what: 'payment to an address that holds the token already',
    per: 1,
    atMost: 60_000,
    send: (at) => pay(at, { holder: true }),
  },
]

/** Figures beside the promised ones, which say what the promise leaves out. */
export const beside: readonly Scenario[] = [
  {
    key: 'deposit.erc3009.again',
    what: 'gasless second deposit into a channel',
    per: 1,
    async send(at) {
      await deposit(at, 'again', 1n)
      return deposit(at, 'again', 2n)
    },
  },
  {
    key: 'vault.pay.newHolder',
    what: 'payment to an address that holds none of the token',
    per: 1,
    send: (at) => pay(at, { holder: false }),
  },
]

/** What every scenario finds: other channels' tokens in escrow, and a receiver that was claimed for and settled before. */
export async function warmUp(at: GasChain): Promise<void> {
  await at.openChannel('another')
  await at.run(await packedCall(at, 'before', 2))
  await at.run(creditCall(at, [{ account: randomAddress('before'), credited: 10_000n }]))
}

/** A relayed deposit of a payer who keeps some tokens; the channels contract holds other channels' tokens. */
async function deposit(at: GasChain, name: string, salt = BigInt(random(`nonce ${name}`))) {
  const { token, channels, collector, relayer, chain, separator, configOf } = at
  const payer = randomKey(`payer ${name}`)
  const config = { ...configOf(name), payer: payer.address }
  const amount = 20_000_000n
  await token.write.mint([payer.address, 3n * amount])
  const validBefore = 1n << 40n
  const domain = { name: 'Jandon Test Dollar', version: '1', address: token.address }
  const signature = await payer.signTypedData({
    domain: tokenDomain(domain, await chain.getChainId()),
    types: receiveWithAuthorizationTypes,
    primaryType: 'ReceiveWithAuthorization',
    message: {
      from: payer.address,
      to: collector.address,
      value: amount,
      validAfter: 0n,
      validBefore,
      nonce: depositNonce(channelId(config, separator), salt),
    },
  })
  const data = collectorData({ validAfter: 0n, validBefore, salt, signature })
  return channels.write.deposit([config, amount, collector.address, data], {
    account: relayer.account,
  })
}

/** Channels whose authorizers signed more than the hub claims. */
async function signed(at: GasChain, name: string, count: number, tips: boolean) {
  const rows = []
  for (let index = 0; index < count; index += 1) {
    const { config, id, key } = await at.openChannel(`${name} ${index}`)
    const claimed = randomAmount(`claim ${name} ${index}`)
    const max = claimed + randomAmount(`more ${name} ${index}`)
    const to = tipTo(randomAddress(`creator ${index}`))
    const hash = tipsHash([{ to, amount: 10_000n, ref: random(`ref ${name} ${index}`) }])
    const voucher = { channelId: id, maxClaimableAmount: max, tipsHash: hash }
    const digest = tips
      ? tipVoucherDigest(voucher, at.separator)
      : voucherDigest(voucher, at.separator)
    const signature = await key.sign({ hash: digest })
    rows.push({
      ...config,
      config,
      maxClaimableAmount: max,
      claim: claimed,
      tipsHash: hash,
      signature,
    })
  }
  return rows
}

/** What `claimPacked` takes for `count` new channels. */
async function packedCall(at: GasChain, name: string, count: number) {
  const rows = await signed(at, name, count, true)
  const { receiver, receiverAuthorizer, token, withdrawDelay } = at.configOf('')
  const args = [receiver, receiverAuthorizer, token, withdrawDelay, packClaims(rows)] as const
  const data = encodeFunctionData({ abi: paymentChannelsAbi, functionName: 'claimPacked', args })
  return { target: at.channels.address, data }
}

async function claimPacked(at: GasChain, count: number) {
  const call = await packedCall(at, `packed ${count}`, count)
  return at.run(call)
}

async function claim(at: GasChain, count: number) {
  const rows = (await signed(at, 'standard', count, false)).map(
    ({ config, maxClaimableAmount, claim: totalClaimed, signature }) => ({
      voucher: { channel: config, maxClaimableAmount },
      signature,
      totalClaimed,
    }),
  )
  const data = encodeFunctionData({ abi: paymentChannelsAbi, functionName: 'claim', args: [rows] })
  return at.run({ target: at.channels.address, data })
}

async function claimTicks(at: GasChain, ticks: number) {
  const { config, id, key } = await at.openChannel('stream')
  const base = { channelId: id, baseAmount: randomAmount('base') % 1_000_000n }
  const chain = createTickChain(random('seed'), { ...base, maxTicks: 1024 })
  const commitment = {
    ...base,
    to: tipTo(randomAddress('streamer')),
    tickAmount: 10_000n,
    maxTicks: 1024,
    root: chain.root,
  }
  const tickClaim = {
    channel: config,
    terms: commitment,
    signature: await key.sign({ hash: tickCommitmentDigest(commitment, at.separator) }),
    preimage: chain.preimage(ticks),
    ticks,
    totalClaimed: tickedAmount(commitment, ticks),
  }
  const args = [tickClaim] as const
  const data = encodeFunctionData({ abi: paymentChannelsAbi, functionName: 'claimTicks', args })
  return at.run({ target: at.channels.address, data })
}

async function settle(at: GasChain) {
  await at.run(await packedCall(at, 'settled', 1))
  const { vault, token, relayer } = at
  return at.channels.write.settle([vault.address, token.address], { account: relayer.account })
}

function creditCall(at: GasChain, rows: { account: Hex; credited: bigint }[]) {
  const args = [at.token.address, rows, random('journal')] as const
  const data = encodeFunctionData({ abi: creatorVaultAbi, functionName: 'credit', args })
  return { target: at.vault.address, data }
}

/** A credit as the hub sends it: there is something to settle first. */
async function credit(at: GasChain, { count, known }: { count: number; known: boolean }) {
  const account = (index: number) => randomAddress(`account ${known} ${index}`)
  const first = Array.from({ length: count }, (_, index) => ({
    account: account(index),
    credited: randomAmount(`credit ${index}`),
  }))
  const more = first.map((row, index) => ({
    ...row,
    credited: row.credited + randomAmount(`credit more ${index}`),
  }))
  await at.token.write.mint([at.vault.address, 100n * 10n ** 9n])
  if (known) await at.run(creditCall(at, first))
  await at.run(await packedCall(at, `credit ${known}`, 1))
  return at.run(creditCall(at, known ? more : first))
}

/** A payment of part of what an account has. */
async function pay(at: GasChain, { holder }: { holder: boolean }) {
  const { viem, vault, token, networkHelpers } = at
  const account = randomAddress(`payer out ${holder}`)
  const to = randomAddress(`recipient ${holder}`)
  await networkHelpers.impersonateAccount(account)
  await networkHelpers.setBalance(account, 10n ** 18n)
  await token.write.mint([vault.address, 10n ** 9n])
  await at.run(creditCall(at, [{ account, credited: 30_000_000n }]))
  if (holder) await token.write.mint([to, 1n])
  const wallet = await viem.getWalletClient(account)
  const args = [token.address, to, 12_345_678n, random('memo')] as const
  const data = encodeFunctionData({ abi: creatorVaultAbi, functionName: 'pay', args })
  return wallet.sendTransaction({ to: vault.address, data })
}
