import assert from 'node:assert/strict'
import type { Hex } from 'viem'
import { createPublicClient, custom, encodeFunctionData, http, toHex } from 'viem'
import { hardhat } from 'viem/chains'
import { testTokenAbi } from '#protocol/abi.ts'
import type { ChainFixture } from '../testing/chain.ts'
import { fundChannel, openChain } from '../testing/chain.ts'
import type { Block } from './blocks.ts'
import { createBlockReader, ForkFound, RangeRefused } from './blocks.ts'
import { bloomBitsOf, readBloom } from './bloom.ts'
import { EndpointFault } from './endpoints.ts'
import { watchedBy } from './logs.ts'
import { receiptsRoot } from './receipts-root.ts'
import { readBlockLogs, readHeader } from './rpc-reads.ts'

type Answered = { method: string; params: unknown[]; answer: unknown }
type Change = (answered: Answered) => unknown

describe('createBlockReader, on a real chain', function () {
  this.timeout(60_000)
  let chain: ChainFixture
  let from: bigint
  let to: bigint
  before(async () => {
    chain = await openChain()
    await fundChannel(chain)
    await fundChannel(chain)
    from = BigInt(chain.deployment.startBlock) + 1n
    to = await chain.node.getBlockNumber({ cacheTime: 0 })
  })
  after(() => chain?.stop())

  /** The chain's node, with its answers changed on the way. */
  function clientOf(change: Change = ({ answer }) => answer) {
    const node = http(chain.rpcUrl, { retryCount: 0 })({ chain: hardhat })
    const request = async (call: { method: string; params: unknown[] }) => {
      const answer = await node.request(call as Parameters<typeof node.request>[0])
      return change({ ...call, answer })
    }
    return createPublicClient({ transport: custom({ request }, { retryCount: 0 }) })
  }

  async function read(change?: Change, parent?: Hex) {
    const wrong: bigint[] = []
    const onWrongLogs = (block: bigint) => wrong.push(block)
    const reader = createBlockReader(watchedBy(chain.deployment), { onWrongLogs })
    const known = new Map<Hex, Block>()
    const blocks = await reader.read(clientOf(change), { from, to, parent, known })
    return { blocks, wrong, logs: blocks.flatMap(({ logs }) => logs) }
  }

  /** Changes what is answered to requests for logs. */
  function logs(change: (found: { blockHash: Hex }[]) => unknown): Change {
    return ({ method, answer }) =>
      method === 'eth_getLogs' ? change(answer as { blockHash: Hex }[]) : answer
  }

  it('reads every block with its logs', async () => {
    const { blocks, logs: found, wrong } = await read()
    assert.equal(blocks.length, Number(to - from) + 1)
    const { channels } = chain.deployment
    const told = await chain.node.getLogs({ address: channels, fromBlock: from, toBlock: to })
    assert.deepEqual(
      found.map(({ transactionHash, logIndex }) => [transactionHash, logIndex]),
      told.map(({ transactionHash, logIndex }) => [transactionHash, logIndex]),
    )
    assert.deepEqual(wrong, [])
  })

  it('has logs that the node left out, and names their block', async () => {
    const whole = await read()
    const some = await read(logs((found) => found.slice(1)))
    assert.deepEqual(some.blocks, whole.blocks)
    assert.deepEqual(some.wrong, [whole.logs[0]?.blockNumber])
    const none = await read(logs(() => []))
    assert.deepEqual(none.blocks, whole.blocks)
  })

  it('has a log that is told twice once', async () => {
    const { blocks, wrong } = await read(logs((found) => [...found, ...found]))
    assert.deepEqual(blocks, (await read()).blocks)
    assert.deepEqual(wrong, [])
  })

  it('throws EndpointFault for a log whose block hash is not the block’s', async () => {
    const blockHash: Hex = `0x${'ab'.repeat(32)}`
    const moved = logs((found) => found.map((log) => ({ ...log, blockHash })))
    await assert.rejects(read(moved), EndpointFault)
  })

  it('throws EndpointFault for a block that the node does not know, or another than it was asked for', async () => {
    const isBlock = ({ method, params }: Answered) =>
      method === 'eth_getBlockByNumber' && params[0] === toHex(to)
    await assert.rejects(
      read((answered) => (isBlock(answered) ? null : answered.answer)),
      EndpointFault,
    )
    const other = toHex(to - 1n)
    await assert.rejects(
      read((answered) =>
        isBlock(answered) ? { ...(answered.answer as object), number: other } : answered.answer,
      ),
      EndpointFault,
    )
  })

  it('throws EndpointFault for a block that does not name the one before', async () => {
    const parentHash: Hex = `0x${'ab'.repeat(32)}`
    const cut: Change = ({ method, params, answer }) =>
      method === 'eth_getBlockByNumber' && params[0] === toHex(to)
        ? { ...(answer as object), parentHash }
        : answer
    await assert.rejects(read(cut), EndpointFault)
  })

  it('throws EndpointFault for a header that does not have the hash it says', async () => {
    const hash: Hex = `0x${'ab'.repeat(32)}`
    const renamed: Change = ({ method, params, answer }) =>
      method === 'eth_getBlockByNumber' && params[0] === toHex(to)
        ? { ...(answer as object), hash }
        : answer
    await assert.rejects(read(renamed), /does not have the hash it says/)
  })

  it('throws ForkFound when the first block follows on another', async () => {
    await assert.rejects(read(undefined, `0x${'ab'.repeat(32)}`), ForkFound)
  })

  it('throws EndpointFault for receipts that do not lead to the root of their block', async () => {
    const spoilt: Change = ({ method, answer }) =>
      method === 'eth_getTransactionReceipt'
        ? { ...(answer as object), cumulativeGasUsed: '0x1' }
        : answer
    await assert.rejects(read(spoilt), /do not lead to its root/)
  })

  it('throws RangeRefused when the node refuses logs of so many blocks', async () => {
    const client = createPublicClient({
      transport: http(chain.rpcUrl, {
        retryCount: 0,
        fetchFn: async (url, init) => {
          const asked = JSON.parse(String(init?.body)) as { id: number; method: string }
          const answer = { jsonrpc: '2.0', id: asked.id }
          return asked.method === 'eth_getLogs'
            ? Response.json({ ...answer, error: { code: -32_005, message: 'too many blocks' } })
            : fetch(url, init)
        },
      }),
    })
    const reader = createBlockReader(watchedBy(chain.deployment), { onWrongLogs: () => undefined })
    const range = { from, to, parent: undefined, known: new Map<Hex, Block>() }
    await assert.rejects(reader.read(client, range), RangeRefused)
  })

  describe('receiptsRoot and readBloom', () => {
    it('agree with the header of a block of 140 transactions', async () => {
      const { node, token } = chain
      const sender = await chain.party({ tokens: 1_000n })
      const nonce = await node.getTransactionCount({ address: sender.address })
      const args = [chain.deployment.vault, 1n] as const
      const data = encodeFunctionData({ abi: testTokenAbi, functionName: 'transfer', args })
      await node.setAutomine(false)
      for (let index = 0; index < 140; index += 1) {
        const serializedTransaction = await sender.signTransaction({
          chainId: hardhat.id,
          to: token,
          data,
          nonce: nonce + index,
          gas: 100_000n,
          maxFeePerGas: 10n ** 11n,
          type: 'eip1559',
        })
        await node.sendRawTransaction({ serializedTransaction })
      }
      await node.mine({ blocks: 1 })
      await node.setAutomine(true)
      const client = clientOf()
      const header = await readHeader(client, 'latest')
      assert.equal(header.transactions.length, 140)
      const { logs: found, isProved } = await readBlockLogs(
        client,
        watchedBy(chain.deployment),
        header,
      )
      assert.deepEqual([found.length, isProved], [140, true])
      const bloom = readBloom(header.logsBloom)
      assert.equal(bloom.isSparse, true)
      assert.equal(bloom.mayHold(bloomBitsOf(token)), true)
      assert.equal(bloom.mayHold(bloomBitsOf(chain.deployment.channels)), false)
    })

    it('are not asked of so big a block, unless a second endpoint has other logs', async () => {
      const number = await chain.node.getBlockNumber({ cacheTime: 0 })
      const wrong: bigint[] = []
      const onWrongLogs = (block: bigint) => wrong.push(block)
      const reader = createBlockReader(watchedBy(chain.deployment), { onWrongLogs })
      const range = { from: number, to: number, parent: undefined, known: new Map<Hex, Block>() }
      const forgetful = clientOf(logs((found) => found.slice(1)))
      const [alone] = await reader.read(forgetful, range)
      assert.equal(alone?.logs.length, 139)
      const [beside] = await reader.read(forgetful, { ...range, witness: clientOf() })
      assert.equal(beside?.logs.length, 140)
      assert.deepEqual(wrong, [number])
      const silent = clientOf(() => null)
      const [deaf] = await reader.read(clientOf(), { ...range, witness: silent })
      assert.equal(deaf?.logs.length, 140)
    })

    it('know no root of receipts of unknown kinds, and that of none', () => {
      const logsBloom: Hex = `0x${'00'.repeat(256)}`
      const receipt = { status: true, cumulativeGasUsed: 1n, logsBloom, logs: [] }
      assert.equal(receiptsRoot([{ ...receipt, type: 0x7e }]), undefined)
      assert.equal(
        receiptsRoot([]),
        '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421',
      )
    })
  })
})
