// Our contracts at the canonical addresses, and the npm packages' facilitator on them.

import { toFacilitatorEvmSigner } from '@x402/evm'
import { BatchSettlementEvmScheme } from '@x402/evm/batch-settlement/facilitator'
import { type Address, getAddress, type Hex } from 'viem'
import { day, keyOf, networkHelpers, openChannel, present, viem } from './fixture.ts'

/** Where npm clients look, and nowhere else. */
export const canonical = {
  channels: '0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003',
  collector: '0x4020806089470a89826cB9fB1f4059150b550004',
  permit2Collector: '0x4020425FAf3B746C082C2f942b4E5159887B0005',
  multicall: '0xcA11bde05977b3631167028862bE2a173976CA11',
} as const

/** Our contracts at the canonical addresses, and a facilitator that signs for the receiver. */
export async function placed() {
  const { stranger, chain, config, token } = await openChannel()
  const { networkId, place } = await placer()
  const original = await viem.deployContract('PaymentChannels')
  await place(canonical.channels, original.address)
  const collector = await viem.deployContract('Erc3009DepositCollector', [canonical.channels])
  await place(canonical.collector, collector.address)
  const permit2Collector = await viem.deployContract('Permit2DepositCollector', [
    canonical.channels,
  ])
  await place(canonical.permit2Collector, permit2Collector.address)
  const multicall = await viem.deployContract('TestMulticall')
  await place(canonical.multicall, multicall.address)
  const channels = await viem.getContractAt('PaymentChannels', canonical.channels)
  // viem infers the arguments of these from the ABI, which the packages pass as unknown[].
  const client = {
    address: getAddress(stranger.account.address),
    readContract: (args: object) => chain.readContract(args as never),
    verifyTypedData: (args: object) => chain.verifyTypedData(args as never),
    writeContract: (args: object) => stranger.writeContract(args as never),
    sendTransaction: (args: { to: Address; data: Hex }) => stranger.sendTransaction(args),
    waitForTransactionReceipt: (args: { hash: Hex }) => chain.waitForTransactionReceipt(args),
    getCode: (args: { address: Address }) => chain.getCode(args),
  }
  const facilitator = new BatchSettlementEvmScheme(toFacilitatorEvmSigner(client), {
    address: keyOf(2).address,
    signTypedData: (typedData) => keyOf(2).signTypedData(typedData as never),
  })
  const requirements = {
    scheme: 'batch-settlement',
    network: networkId,
    asset: config.token,
    amount: '100',
    payTo: config.receiver,
    // The client signs by the clock of this machine, and the chain's is ahead of it after tests that move it.
    maxTimeoutSeconds: 100 * 365 * day,
    extra: {
      receiverAuthorizer: config.receiverAuthorizer,
      withdrawDelay: config.withdrawDelay,
      name: 'Jandon Test Dollar',
      version: '1',
    },
  }
  return { chain, channels, token, config, facilitator, requirements, networkId }
}

async function placer() {
  const chain = await viem.getPublicClient()
  const networkId = `eip155:${await chain.getChainId()}` as const
  const place = async (at: Address, from: Address) =>
    networkHelpers.setCode(at, present(await chain.getCode({ address: from })))
  return { networkId, place }
}
