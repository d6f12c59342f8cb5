// CREATE2 through the deterministic deployment proxy: a contract's address follows from its code, its constructor
// arguments and a salt, on every chain, whoever pays for the deployment.

import { readFile } from 'node:fs/promises'
import type { Address, Hex } from 'viem'
import { concatHex, encodeDeployData, getCreate2Address, size, sliceHex, toHex } from 'viem'
import { z } from 'zod'
import { lowerCase } from '#protocol/signature.ts'

/** The proxy takes a salt and init code, and answers with the address. Source: Arachnid/deterministic-deployment-proxy. */
export const proxy: { address: Address; code: Hex } = {
  address: '0x4e59b44847b379578588920cA78FbF26c0B4956C',
  code: '0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3',
}

const hex = z.templateLiteral(['0x', z.string()])
const artifactShape = z.object({
  abi: z.array(z.record(z.string(), z.unknown())),
  bytecode: hex,
  deployedBytecode: hex,
  immutableReferences: z.record(z.string(), z.array(z.object({ start: z.int(), length: z.int() }))),
})

/** A contract with its constructor arguments: where it will be, and how to get it there. */
export type Planned = {
  name: string
  address: Address
  salt: Hex
  initCode: Hex
  /** What will stand there, apart from the immutables, which are known on chain only. */
  runtime: { code: Hex; immutables: readonly { start: number; length: number }[] }
}

/** Plans a contract of `contracts/`, given as `folder/File.sol/Name`. */
export async function plan(
  path: string,
  { args, salt }: { args: readonly unknown[]; salt: Hex },
): Promise<Planned> {
  const { abi, bytecode, runtime } = await readArtifact(path)
  const initCode = encodeDeployData({ abi: abi as never, bytecode, args } as never)
  const address = getCreate2Address({ from: proxy.address, salt, bytecode: initCode })
  return {
    name: path.split('/').at(-1) ?? path,
    address: lowerCase(address),
    salt,
    initCode,
    runtime,
  }
}

/** The runtime code of a contract, to compare with what stands on chain. */
export async function readArtifact(path: string) {
  const file = new URL(`../../artifacts/contracts/${path}.json`, import.meta.url)
  const artifact = artifactShape.parse(JSON.parse(await readFile(file, 'utf8')))
  const immutables = Object.values(artifact.immutableReferences).flat()
  const runtime = { code: artifact.deployedBytecode, immutables }
  return { abi: artifact.abi, bytecode: artifact.bytecode, runtime }
}

/** What the proxy is called with. */
export function proxyCall({ salt, initCode }: Planned): Hex {
  return concatHex([salt, initCode])
}

/** Whether code on chain is that of a contract, whatever its immutables are. */
export function isCodeOf({ code, immutables }: Planned['runtime'], found: Hex): boolean {
  return size(found) === size(code) && blanked(found, immutables) === blanked(code, immutables)
}

function blanked(code: Hex, immutables: readonly { start: number; length: number }[]): Hex {
  let rest = code
  for (const { start, length } of immutables) {
    const after = start + length < size(rest) ? sliceHex(rest, start + length) : '0x'
    rest = concatHex([sliceHex(rest, 0, start), toHex(0, { size: length }), after])
  }
  return lowerCase(rest)
}
