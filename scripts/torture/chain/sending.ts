// Many transactions at once from a process that is killed again and again, over a line that loses a fifth of the broadcasts, on a
// chain whose price rises twentyfold and that drops what waits: each has its effect once, and the nonces have no hole.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Abi, Address, Hex } from 'viem'
import { createWalletClient, http, parseEther } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { testTokenAbi } from '#protocol/abi.ts'
import type { ChainKind } from '../../world/chains.ts'
import { startChain, waitingTransactions } from '../../world/chains.ts'
import { connectChain } from '../../world/deploy.ts'
import type { Random } from '../random.ts'
import { createRandom } from '../random.ts'
import { projectRoot } from '../workshop.ts'
import type { FaultyRpc } from './faulty-rpc.ts'
import { startFaultyRpc } from './faulty-rpc.ts'
import type { SenderOrder, SenderReport } from './sender.ts'
import { recipientOf } from './sender.ts'

export type SendingEffort = { chainKind: ChainKind; seed: number; sends: number; kills: number }

/** What a campaign on the chain did and found. */
export type ChainFindings = { operations: number; faults: number; failures: string[] }

type Ground = {
  chainKind: ChainKind
  chain: ReturnType<typeof connectChain>
  rpc: FaultyRpc
  token: Address
  key: Hex
  directory: string
  /** Where the sender's sources are. */
  sources: string
}

const gwei = 1_000_000_000n
const spike = 20n
/** Everything must be final so long after the last fault, in milliseconds. */
const settledWithinMs = 60_000
const blockMs = 40
const fees = { patienceMs: 200, deadlineMs: 4_000 }

/** Runs the campaign with the sender of the given sources, so that a bug can be planted there. */
export async function tortureSending(
  effort: SendingEffort,
  sources: string = projectRoot,
): Promise<ChainFindings> {
  const random = createRandom(effort.seed)
  const part = await startChain(effort.chainKind)
  const folder = await mkdtemp(join(tmpdir(), 'jandon-sending-'))
  const chain = connectChain(part.url)
  const rpc = await startFaultyRpc(part.url, random)
  try {
    const key = generatePrivateKey()
    await chain.setBalance({ address: addressOf(key), value: parseEther('1000') })
    const token = await deployToken(part.url)
    await chain.setAutomine(false)
    const directory = join(folder, 'data')
    const { chainKind } = effort
    const ground = { chainKind, chain, rpc, token, key, directory, sources }
    return await play(ground, { ...effort, random })
  } finally {
    await rpc.stop()
    await part.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function play(
  ground: Ground,
  { sends, kills, random }: Omit<SendingEffort, 'chainKind'> & { random: Random },
): Promise<ChainFindings> {
  const { rpc } = ground
  const market = startMarket(ground, random)
  const rest = Math.ceil(sends / 4)
  let killed = 0
  rpc.loseOneIn = 5
  for (let kill = 0; kill < kills; kill += 1) {
    const sender = startSender(ground, sends - rest)
    const share = Math.ceil((sends - rest) / (kills + 1))
    await Promise.race([rpc.heard(1 + random.below(2 * share)), sender.ended])
    await sleep(random.below(1_200))
    if (!sender.isRunning()) break
    await sender.kill()
    killed += 1
  }
  await market.hold()
  const last = startSender(ground, sends)
  await Promise.race([rpc.heard(rest), last.ended])
  rpc.loseOneIn = 0
  market.stayDear()
  const report = await Promise.race([
    last.report,
    sleep(settledWithinMs, undefined, { ref: false }),
  ])
  if (!report) await last.kill()
  const drops = await market.stop()
  const failures = report
    ? []
    : [`not all was final ${settledWithinMs} ms after the last fault: ${await last.complaints}`]
  failures.push(...(await faultsOf(ground, sends)))
  const found = report ?? { ended: {}, replacements: 0 }
  console.log(
    `  ${sends} sends: ${killed} kills, ${rpc.lost()} broadcasts lost, ${drops} dropped, ${market.spikes()} blocks at ${spike} times the price, ${found.replacements} mined by a replacement`,
  )
  return { operations: sends, faults: killed + rpc.lost() + drops, failures }
}

/** Each effect once, and every nonce up to the last used. */
async function faultsOf(
  { chainKind, chain, token, key }: Ground,
  sends: number,
): Promise<string[]> {
  const address = addressOf(key)
  const [latest, pending] = await Promise.all([
    chain.getTransactionCount({ address, blockTag: 'latest' }),
    chain.getTransactionCount({ address, blockTag: 'pending' }),
  ])
  const minted = await Promise.all(
    Array.from({ length: sends }, (_, send) =>
      chain.readContract({
        address: token,
        abi: testTokenAbi,
        functionName: 'balanceOf',
        args: [recipientOf(send)],
      }),
    ),
  )
  const doubled = minted.filter((amount) => amount > 1n).length
  const lost = minted.filter((amount) => amount === 0n).length
  const holes = (await waitingTransactions(chainKind, chain)).filter(
    ({ from, nonce }) => from.toLowerCase() === address.toLowerCase() && nonce >= latest,
  ).length
  console.log(
    `  doubled ${doubled}, lost ${lost}, nonce holes ${holes}, ${latest} nonces for ${sends} sends`,
  )
  return [
    ...(doubled > 0 ? [`${doubled} effects came twice`] : []),
    ...(lost > 0 ? [`${lost} effects never came`] : []),
    ...(holes > 0 ? [`${holes} transactions wait behind a hole in the nonces`] : []),
    ...(latest === sends && pending === sends ? [] : [`${latest} nonces for ${sends} sends`]),
  ]
}

/** Blocks at prices that jump, and a pool that forgets; in the end the price is up to stay. */
function startMarket({ chainKind, chain }: Ground, random: Random) {
  let isOver = false
  let isHeld = false
  let isDear = false
  let isSpike = false
  let blocksLeft = 0
  let drops = 0
  let spikes = 0
  const running = (async () => {
    while (!isOver) await oneBlock()
    return drops
  })()

  async function oneBlock() {
    await sleep(blockMs)
    if (isHeld) return
    if (blocksLeft === 0) {
      isSpike = !isSpike
      blocksLeft = 3 + random.below(20)
    }
    blocksLeft -= 1
    await mineAt(isSpike || isDear ? gwei * spike : gwei)
    if (!isDear && random.once(4)) drops += await dropOne()
  }

  async function mineAt(baseFeePerGas: bigint) {
    if (baseFeePerGas > gwei) spikes += 1
    await chain.setNextBlockBaseFeePerGas({ baseFeePerGas })
    await chain.mine({ blocks: 1 })
  }

  async function dropOne() {
    const waiting = await waitingTransactions(chainKind, chain)
    if (waiting.length === 0) return 0
    await chain.dropTransaction({ hash: random.pick(waiting).hash })
    return 1
  }

  return {
    spikes: () => spikes,
    /** No block comes any more, and the last one was cheap. */
    async hold() {
      isHeld = true
      await mineAt(gwei)
    },
    stayDear() {
      isDear = true
      isHeld = false
    },
    stop() {
      isOver = true
      return running
    },
  }
}

function startSender({ rpc, token, key, directory, sources }: Ground, sends: number) {
  const order: SenderOrder = {
    directory,
    rpcUrl: rpc.url,
    key,
    token,
    sends,
    fees,
    budgetGwei: 100,
  }
  const script = join(sources, 'scripts/torture/chain/sender.ts')
  const child = spawn(process.execPath, [script, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit')
  const said = text(child.stdout)
  const complaints = text(child.stderr)
  return {
    ended,
    complaints,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    report: ended.then(async (): Promise<SenderReport | undefined> => {
      const line = await said
      return line === '' ? undefined : (JSON.parse(line) as SenderReport)
    }),
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function deployToken(rpcUrl: string): Promise<Address> {
  const chain = connectChain(rpcUrl)
  const account = privateKeyToAccount(generatePrivateKey())
  await chain.setBalance({ address: account.address, value: parseEther('10') })
  const artifact = join(projectRoot, 'artifacts/contracts/test/TestToken.sol/TestToken.json')
  const { abi, bytecode } = JSON.parse(await readFile(artifact, 'utf8')) as {
    abi: Abi
    bytecode: Hex
  }
  const wallet = createWalletClient({ account, chain: hardhat, transport: http(rpcUrl) })
  const hash = await wallet.deployContract({ abi, bytecode, args: [] })
  const { contractAddress } = await chain.waitForTransactionReceipt({ hash })
  if (!contractAddress) throw new Error('the token was not deployed')
  return contractAddress
}

function addressOf(key: Hex): Address {
  return privateKeyToAccount(key).address
}
