// Signatures of wallets: a key's is checked here, a smart wallet's by asking its contract (ERC-1271).

import type { Address, Hex, PublicClient, TypedDataDefinition } from 'viem'
import { verifyMessage, verifyTypedData } from 'viem'

type Chain = Pick<PublicClient, 'verifyMessage' | 'verifyTypedData'>

/** Whether `address` signed a text (EIP-191). The chain is asked only when no key of that address did. */
export async function isSignedMessage(
  chain: Chain,
  signed: { address: Address; message: string; signature: Hex },
): Promise<boolean> {
  return (await byKey(() => verifyMessage(signed))) || chain.verifyMessage(signed)
}

/** Whether `address` signed typed data (EIP-712). The chain is asked only when no key of that address did. */
export async function isSignedTypedData(
  chain: Chain,
  signed: { address: Address; signature: Hex } & TypedDataDefinition,
): Promise<boolean> {
  return (await byKey(() => verifyTypedData(signed))) || chain.verifyTypedData(signed)
}

/** A text that is no key's signature at all may still be a smart wallet's. */
async function byKey(verify: () => Promise<boolean>): Promise<boolean> {
  try {
    return await verify()
  } catch (cause) {
    if (cause instanceof Error) return false
    throw cause
  }
}
