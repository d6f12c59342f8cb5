// A hub under test with its watchtower: what is on the chain, and payers who leave with nothing but a key.

import assert from 'node:assert/strict'
import { createWalletClient, http } from 'viem'
import { hardhat } from 'viem/chains'
import { paymentChannelsAbi } from '#protocol/abi.ts'
import type { OpenChannel } from './channels.ts'
import type { HubFixture } from './hub.ts'

/** Balance and claimed total of a channel on the chain, base units. */
export async function onChain({ world, info }: HubFixture, { id }: Pick<OpenChannel, 'id'>) {
  const [balance, claimed] = await world.chain.readContract({
    address: info.channels.address,
    abi: paymentChannelsAbi,
    functionName: 'channels',
    args: [id],
  })
  return { balance, claimed }
}

/** Begins a withdrawal as a payer does who has nothing but a key and the chain: of everything, or of `amount`. */
export async function initiateAlone(hub: HubFixture, channel: OpenChannel, amount?: bigint) {
  const { world, info } = hub
  const { balance, claimed } = await onChain(hub, channel)
  const { payer: account, config } = channel
  const wallet = createWalletClient({ account, chain: hardhat, transport: http(world.rpcUrl) })
  const hash = await wallet.writeContract({
    address: info.channels.address,
    abi: paymentChannelsAbi,
    functionName: 'initiateWithdraw',
    args: [config, amount ?? balance - claimed],
  })
  const { status } = await world.chain.waitForTransactionReceipt({ hash })
  assert.equal(status, 'success')
}

/** Lets time pass on the chain, in seconds. */
export async function passTime({ world }: HubFixture, seconds: number) {
  await world.chain.increaseTime({ seconds })
  await world.chain.mine({ blocks: 1 })
}
