// Deposits by Permit2. Permit2 itself is the code of Ethereum's mainnet (permit2.json names its source), placed at its
// address; it computes its domain anew on a chain that it was not deployed on.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import {
  type Address,
  domainSeparator,
  getAddress,
  type Hex,
  maxUint256,
  parseSignature,
  toFunctionSelector,
  toHex,
} from 'viem'
import type { LocalAccount } from 'viem/accounts'
import { z } from 'zod'
import type { ChannelConfig } from '#protocol/channel.ts'
import { permit2, permit2CollectorData, permit2DepositTypes } from '#protocol/deposit.ts'
import { balances, day, difference, keyOf, networkHelpers, openChannel, viem } from './fixture.ts'

const { assertions } = viem
const { bytecode } = z
  .object({ bytecode: z.templateLiteral(['0x', z.string()]) })
  .parse(JSON.parse(readFileSync(new URL('./permit2.json', import.meta.url), 'utf8')))

async function withPermit2() {
  const at = await openChannel()
  await networkHelpers.setCode(permit2, bytecode)
  const collector = await viem.deployContract('Permit2DepositCollector', [at.channels.address])
  const config: ChannelConfig = { ...at.config, salt: toHex(2, { size: 32 }) }
  const channelId = await at.channels.read.getChannelId([config])
  return { ...at, collector, config, channelId, chainId: await at.chain.getChainId() }
}

type World = Awaited<ReturnType<typeof withPermit2>>
type Signer = Pick<LocalAccount, 'signTypedData'>

type Transfer = {
  token: Address
  amount: bigint
  spender: Address
  nonce: bigint
  deadline: bigint
  channelId: Hex
}

/** The payer's authorization of 300 for the channel, with whatever differs. */
async function authorize(
  at: World,
  change: Partial<Transfer> & { signer?: Signer; approval?: Hex } = {},
): Promise<Hex> {
  const { signer = keyOf(0) } = change
  const { nonce = 9n, deadline = 1n << 40n, channelId = at.channelId } = change
  const { token = at.token.address, amount = 300n, spender = at.collector.address } = change
  const signature = await signer.signTypedData({
    domain: { name: 'Permit2', chainId: at.chainId, verifyingContract: permit2 },
    types: permit2DepositTypes,
    primaryType: 'PermitWitnessTransferFrom',
    message: { permitted: { token, amount }, spender, nonce, deadline, witness: { channelId } },
  })
  const approval = change.approval && {
    value: 300n,
    deadline: 1n << 40n,
    signature: change.approval,
  }
  return permit2CollectorData({ nonce, deadline, signature }, approval || undefined)
}

/** The payer's ERC-2612 permit of 300 toward Permit2. */
function permit({ token, chainId, config }: World, signer: Signer = keyOf(0)): Promise<Hex> {
  return signer.signTypedData({
    domain: {
      name: 'Jandon Test Dollar',
      version: '1',
      chainId,
      verifyingContract: token.address,
    },
    types: {
      Permit: [
        { name: 'owner', type: 'address' },
        { name: 'spender', type: 'address' },
        { name: 'value', type: 'uint256' },
        { name: 'nonce', type: 'uint256' },
        { name: 'deadline', type: 'uint256' },
      ],
    },
    primaryType: 'Permit',
    message: { owner: config.payer, spender: permit2, value: 300n, nonce: 0n, deadline: 1n << 40n },
  })
}

/** Permit2 refuses with one of its own errors. */
async function refused(call: Promise<unknown>, error: string): Promise<void> {
  await assert.rejects(call, ({ message }: Error) => message.includes(toFunctionSelector(error)))
}

/** The payer has approved Permit2 without limit, as wallets do. */
async function approved() {
  const at = await networkHelpers.loadFixture(withPermit2)
  await at.token.write.approve([permit2, maxUint256])
  const deposit = (data: Hex, config = at.config, amount = 300n) =>
    at.channels.write.deposit([config, amount, at.collector.address, data], {
      account: at.stranger.account,
    })
  return { ...at, deposit }
}

describe('Permit2', () => {
  it('has its own domain at its address', async () => {
    const { chain, chainId } = await networkHelpers.loadFixture(withPermit2)
    const { data } = await chain.call({ to: permit2, data: '0x3644e515' })
    const domain = { name: 'Permit2', chainId, verifyingContract: permit2 }
    assert.equal(data, domainSeparator({ domain }))
  })
})

describe('collect (Permit2)', () => {
  it('brings the tokens that the payer authorized for the channel, whoever relays', async () => {
    const at = await approved()
    const { channels, token, collector, config, channelId } = at
    const before = await balances(token, config.payer, channels.address, collector.address)
    await at.deposit(await authorize(at))
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 0n])
    const after = await balances(token, config.payer, channels.address, collector.address)
    assert.deepEqual(difference(before, after), [-300n, 300n, 0n])
  })

  it('takes nonces in any order', async () => {
    const at = await approved()
    for (const nonce of [maxUint256, 0n, 256n]) await at.deposit(await authorize(at, { nonce }))
    assert.deepEqual(await at.channels.read.channels([at.channelId]), [900n, 0n])
  })

  it('brings the tokens of a contract wallet by its ERC-1271 signature', async () => {
    const at = await approved()
    const { channels, token, config } = at
    const wallet = await viem.deployContract('TestWallet', [keyOf(3).address])
    await token.write.mint([wallet.address, 300n])
    await networkHelpers.impersonateAccount(wallet.address)
    await networkHelpers.setBalance(wallet.address, 10n ** 18n)
    await token.write.approve([permit2, 300n], { account: wallet.address })
    const owned = { ...config, payer: wallet.address }
    const channelId = await channels.read.getChannelId([owned])
    await at.deposit(await authorize(at, { signer: keyOf(3), channelId }), owned)
    assert.deepEqual(await channels.read.channels([channelId]), [300n, 0n])
  })

  it('refuses a stranger who wants the tokens forwarded to themselves', async () => {
    const at = await approved()
    const { collector, channels, stranger, config, channelId } = at
    const call = collector.write.collect(
      [config.payer, config.token, 300n, channelId, stranger.account.address, await authorize(at)],
      { account: stranger.account },
    )
    await assertions.revertWithCustomErrorWithArgs(call, collector, 'NotChannels', [
      getAddress(stranger.account.address),
      getAddress(channels.address),
    ])
  })

  it('refuses the same authorization twice', async () => {
    const at = await approved()
    const data = await authorize(at)
    await at.deposit(data)
    await refused(at.deposit(data), 'InvalidNonce()')
  })

  it('refuses an authorization that has expired', async () => {
    const at = await approved()
    const deadline = BigInt(await networkHelpers.time.latest())
    const data = await authorize(at, { deadline })
    await networkHelpers.time.increase(day)
    await refused(at.deposit(data), 'SignatureExpired(uint256)')
  })

  it("refuses a thief's channel for the payer's authorization, whatever Permit2 may spend", async () => {
    const at = await approved()
    const thief = keyOf(3).address
    const theirs = { ...at.config, payerAuthorizer: thief, receiver: thief }
    const data = await authorize(at)
    await refused(at.deposit(data, theirs), 'InvalidSigner()')
    await at.deposit(data)
  })

  it('refuses another amount than the payer authorized, also less', async () => {
    const at = await approved()
    const data = await authorize(at)
    for (const amount of [299n, 301n]) {
      await refused(at.deposit(data, at.config, amount), 'InvalidSigner()')
    }
  })

  for (const [what, change] of [
    ['another token', { token: keyOf(8).address }],
    ['another collector', { spender: keyOf(8).address }],
    ['another channel', { channelId: toHex(8, { size: 32 }) }],
  ] as const) {
    it(`refuses an authorization of ${what}`, async () => {
      const at = await approved()
      await refused(at.deposit(await authorize(at, change)), 'InvalidSigner()')
    })
  }

  it("refuses an authorization that somebody else signed in the payer's name", async () => {
    const at = await approved()
    const data = await authorize(at, { signer: keyOf(3) })
    await refused(at.deposit(data), 'InvalidSigner()')
  })

  it('refuses data that it cannot read', async () => {
    const at = await approved()
    for (const data of ['0x', '0x1234'] as const) {
      await assertions.revert(at.deposit(data))
    }
  })
})

describe('collect (Permit2 with an ERC-2612 permit)', () => {
  async function unapproved() {
    const at = await networkHelpers.loadFixture(withPermit2)
    const deposit = (data: Hex) =>
      at.channels.write.deposit([at.config, 300n, at.collector.address, data], {
        account: at.stranger.account,
      })
    return { ...at, deposit, approval: await permit(at) }
  }

  it('brings the tokens of a payer who never sent a transaction', async () => {
    const at = await unapproved()
    await at.deposit(await authorize(at, { approval: at.approval }))
    assert.deepEqual(await at.channels.read.channels([at.channelId]), [300n, 0n])
    assert.equal(await at.token.read.allowance([at.config.payer, permit2]), 0n)
  })

  it('brings them also when somebody used the permit before', async () => {
    const at = await unapproved()
    const { r, s, yParity } = parseSignature(at.approval)
    const { payer } = at.config
    await at.token.write.permit([payer, permit2, 300n, 1n << 40n, 27 + yParity, r, s], {
      account: at.stranger.account,
    })
    await at.deposit(await authorize(at, { approval: at.approval }))
    assert.deepEqual(await at.channels.read.channels([at.channelId]), [300n, 0n])
  })

  it('refuses a payer who allowed nothing', async () => {
    const at = await unapproved()
    await assertions.revert(at.deposit(await authorize(at)))
  })

  it('refuses a permit that somebody else signed', async () => {
    const at = await unapproved()
    const approval = await permit(at, keyOf(3))
    await assertions.revert(at.deposit(await authorize(at, { approval })))
  })
})
