// What the cold admin of the hub account does: naming the keys.

import type { Abi, Address } from 'viem'
import { createWalletClient, http } from 'viem'
import { hardhat } from 'viem/chains'
import { hubAccountAbi } from '#protocol/abi.ts'
import type { World } from './world.ts'

/** Makes an address the operator of the hub account and gives it gas money. */
export function makeOperator(world: World, operator: Address): Promise<void> {
  return administer(world, { functionName: 'setOperator', args: [operator], fund: operator })
}

/** Makes an address a claimer of the hub account, or no longer one, and gives it gas money. */
export function setClaimer(world: World, claimer: Address, allowed: boolean): Promise<void> {
  return administer(world, { functionName: 'setClaimer', args: [claimer, allowed], fund: claimer })
}

async function administer(
  { chain, rpcUrl, deployment: { hubAccount: address }, fundGas }: World,
  { functionName, args, fund }: { functionName: string; args: readonly unknown[]; fund: Address },
): Promise<void> {
  const admin = await chain.readContract({ address, abi: hubAccountAbi, functionName: 'admin' })
  await fundGas(fund)
  await chain.impersonateAccount({ address: admin })
  const wallet = createWalletClient({ account: admin, chain: hardhat, transport: http(rpcUrl) })
  const abi = hubAccountAbi as Abi
  const hash = await wallet.writeContract({ address, abi, functionName, args })
  const { status } = await chain.waitForTransactionReceipt({ hash })
  if (status !== 'success') throw new Error(`the admin’s ${functionName} was reverted`)
}
