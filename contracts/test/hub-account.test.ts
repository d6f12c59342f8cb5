import assert from 'node:assert/strict'
import {
  type Address,
  encodeErrorResult,
  encodeFunctionData,
  getAddress,
  getContractAddress,
  type Hex,
  hashMessage,
  toHex,
  zeroAddress,
} from 'viem'
import { createTickChain, tickCommitmentTypes } from '#protocol/tick.ts'
import {
  claimRows,
  keyOf,
  networkHelpers,
  signBatch,
  signRefund,
  signVoucher,
  viem,
} from './fixture.ts'
import { claimData, creditData, journal, keys, openHub } from './hub-fixture.ts'

const { assertions } = viem
const valid = '0x1626ba7e'
const invalid = '0xffffffff'

const hubOf = () => networkHelpers.loadFixture(openHub)
type Hub = Awaited<ReturnType<typeof openHub>>

/** Everything that a claimer may and may not call on a payment channels contract. */
async function channelsCalls(at: Hub): Promise<{ allowed: Hex[]; refused: Hex[] }> {
  const { channels, config, channelId, voucherKey, domain } = at
  const { abi } = channels
  const voucher = { channelId, maxClaimableAmount: 100n }
  const signature = await signVoucher(voucherKey, domain, voucher)
  const rows = claimRows({ config, max: 100n, totalClaimed: 100n, signature })
  const batch = await signBatch(keys.operator, domain, [{ ...voucher, totalClaimed: 100n }])
  const refund = await signRefund(keys.operator, domain, { channelId, nonce: 0n, amount: 1n })
  const refundCall = encodeFunctionData({ abi, functionName: 'refund', args: [config, 1n] })
  return {
    allowed: [
      encodeFunctionData({ abi, functionName: 'claim', args: [rows] }),
      encodeFunctionData({ abi, functionName: 'claimWithSignature', args: [rows, batch] }),
      await claimData(at, 200n),
      await tickData(at),
      encodeFunctionData({ abi, functionName: 'settle', args: [config.receiver, config.token] }),
    ],
    refused: [
      refundCall,
      encodeFunctionData({
        abi,
        functionName: 'refundWithSignature',
        args: [config, 1n, 0n, refund],
      }),
      encodeFunctionData({ abi, functionName: 'multicall', args: [[refundCall]] }),
      encodeFunctionData({ abi, functionName: 'depositDirect', args: [config, 1n] }),
      encodeFunctionData({ abi, functionName: 'initiateWithdraw', args: [config, 1n] }),
      encodeFunctionData({ abi, functionName: 'finalizeWithdraw', args: [config] }),
    ],
  }
}

/** The call that claims one tick from 200 on. */
async function tickData({ channels, config, channelId, voucherKey, domain }: Hub): Promise<Hex> {
  const terms = {
    channelId,
    to: toHex(7, { size: 32 }),
    baseAmount: 200n,
    tickAmount: 1n,
    maxTicks: 1,
  }
  const chain = createTickChain(toHex(5, { size: 32 }), terms)
  const message = { ...terms, root: chain.root }
  const types = tickCommitmentTypes
  const typed = { domain, types, primaryType: 'TickCommitment', message } as const
  const signature = await voucherKey.signTypedData(typed)
  const claim = { ticks: 1, preimage: chain.preimage(1), totalClaimed: 201n }
  return encodeFunctionData({
    abi: channels.abi,
    functionName: 'claimTicks',
    args: [{ channel: config, terms: message, signature, ...claim }],
  })
}

describe('HubAccount', () => {
  it('knows its keys, its targets and the vault that it deployed', async () => {
    const { hub, vault, channels, canonical } = await hubOf()
    assert.equal(await hub.read.admin(), keys.admin.address)
    assert.equal(await hub.read.pendingAdmin(), zeroAddress)
    assert.equal(await hub.read.operator(), keys.operator.address)
    assert.equal(await hub.read.channels(), getAddress(channels.address))
    assert.equal(await hub.read.canonicalChannels(), getAddress(canonical.address))
    assert.equal(await hub.read.vault(), getContractAddress({ from: hub.address, nonce: 1n }))
    assert.equal(await vault.read.hub(), getAddress(hub.address))
    assert.equal(await vault.read.channels(), getAddress(channels.address))
    assert.equal(await vault.read.canonicalChannels(), getAddress(canonical.address))
  })

  it('reports its first keys', async () => {
    const { channels, chain } = await hubOf()
    const { contract, deploymentTransaction } = await viem.sendDeploymentTransaction('HubAccount', [
      keys.admin.address,
      keys.operator.address,
      channels.address,
      zeroAddress,
    ])
    const { hash } = deploymentTransaction
    await chain.waitForTransactionReceipt({ hash })
    const tx = Promise.resolve(hash)
    await assertions.emitWithArgs(tx, contract, 'AdminChanged', [zeroAddress, keys.admin.address])
    await assertions.emitWithArgs(tx, contract, 'OperatorChanged', [
      zeroAddress,
      keys.operator.address,
    ])
  })

  it('refuses to be without admin', async () => {
    const { hub, channels } = await hubOf()
    const call = viem.deployContract('HubAccount', [
      zeroAddress,
      keys.operator.address,
      channels.address,
      zeroAddress,
    ])
    await assertions.revertWithCustomError(addressOf(call), hub, 'ZeroAdmin')
  })

  it('refuses payment channels without code', async () => {
    const { hub } = await hubOf()
    const call = viem.deployContract('HubAccount', [
      keys.admin.address,
      keys.operator.address,
      keyOf(8).address,
      zeroAddress,
    ])
    await assertions.revertWithCustomErrorWithArgs(addressOf(call), hub, 'NoCode', [
      keyOf(8).address,
    ])
  })
})

describe('run', () => {
  it('claims, settles and credits in one transaction for the operator', async () => {
    const at = await hubOf()
    const { hub, vault, channels, token, operator, config, channelId } = at
    const rows = [{ account: keys.creator.address, credited: 600n }]
    const tx = hub.write.run(
      [
        [
          { target: channels.address, data: await claimData(at, 600n) },
          { target: vault.address, data: creditData(vault, { token: token.address, rows }) },
        ],
      ],
      { account: operator.account },
    )
    await assertions.emit(tx, channels, 'ClaimedPacked')
    await assertions.emitWithArgs(tx, channels, 'Settled', [
      config.receiver,
      config.token,
      config.receiver,
      600n,
    ])
    await assertions.emitWithArgs(tx, vault, 'Journal', [journal, config.token, 600n, 600n])
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 600n])
    assert.equal(await token.read.balanceOf([vault.address]), 600n)
    assert.equal(await token.read.balanceOf([hub.address]), 0n)
  })

  it('returns what each call returned', async () => {
    const at = await hubOf()
    const { hub, channels, operator } = at
    const calls = [{ target: channels.address, data: await claimData(at, 600n) }]
    const { result } = await hub.simulate.run([calls], { account: operator.account.address })
    assert.deepEqual(result, [toHex(600n, { size: 32 })])
  })

  it('lets the operator call all three targets', async () => {
    const at = await hubOf()
    const { hub, vault, channels, canonical, token, operator } = at
    const settle = encodeFunctionData({
      abi: channels.abi,
      functionName: 'settle',
      args: [vault.address, token.address],
    })
    const calls = [
      { target: channels.address, data: settle },
      { target: canonical.address, data: settle },
      { target: vault.address, data: creditData(vault, { token: token.address, rows: [] }) },
    ]
    await hub.write.run([calls], { account: operator.account })
  })

  it('lets the operator refund', async () => {
    const at = await hubOf()
    const { hub, channels, token, operator, config, channelId } = at
    const before = await token.read.balanceOf([config.payer])
    const data = encodeFunctionData({
      abi: channels.abi,
      functionName: 'refund',
      args: [config, 1_000n],
    })
    await hub.write.run([[{ target: channels.address, data }]], { account: operator.account })
    assert.deepEqual(await channels.read.channels([channelId]), [0n, 0n])
    assert.equal(await token.read.balanceOf([config.payer]), before + 1_000n)
  })

  it('lets a claimer claim and settle', async () => {
    const at = await hubOf()
    const { hub, vault, channels, token, claimer, channelId } = at
    const { allowed } = await channelsCalls(at)
    const calls = allowed.map((data) => ({ target: channels.address, data }))
    await hub.write.run([calls], { account: claimer.account })
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 201n])
    assert.equal(await token.read.balanceOf([vault.address]), 201n)
  })

  it('lets a claimer use the canonical contract too', async () => {
    const at = await hubOf()
    const { hub, canonical, claimer, config } = at
    const { abi } = canonical
    const { receiver, token } = config
    const data = encodeFunctionData({ abi, functionName: 'settle', args: [receiver, token] })
    await hub.write.run([[{ target: canonical.address, data }]], { account: claimer.account })
  })

  for (const who of ['admin', 'stranger', 'payer'] as const) {
    it(`refuses the ${who}`, async () => {
      const at = await hubOf()
      const { account } = at[who]
      const call = at.hub.write.run([[]], { account })
      await assertions.revertWithCustomErrorWithArgs(call, at.hub, 'NotOperatorOrClaimer', [
        getAddress(account.address),
      ])
    })
  }

  it('refuses the operator any other target, such as a token', async () => {
    const { hub, token, operator } = await hubOf()
    const data = encodeFunctionData({
      abi: token.abi,
      functionName: 'approve',
      args: [keys.operator.address, 1n],
    })
    const call = hub.write.run([[{ target: token.address, data }]], { account: operator.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'TargetNotAllowed', [
      0n,
      getAddress(token.address),
    ])
  })

  it('refuses the operator the account itself', async () => {
    const { hub, operator } = await hubOf()
    const data = encodeFunctionData({ abi: hub.abi, functionName: 'acceptAdmin' })
    const call = hub.write.run([[{ target: hub.address, data }]], { account: operator.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'TargetNotAllowed', [
      0n,
      getAddress(hub.address),
    ])
  })

  it('refuses a claimer the vault', async () => {
    const { hub, vault, token, claimer } = await hubOf()
    const data = creditData(vault, { token: token.address, rows: [] })
    const call = hub.write.run([[{ target: vault.address, data }]], { account: claimer.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'TargetNotAllowed', [
      0n,
      getAddress(vault.address),
    ])
  })

  it('refuses a claimer every function but claims and settle', async () => {
    const at = await hubOf()
    const { hub, channels, claimer } = at
    const { allowed, refused } = await channelsCalls(at)
    for (const data of refused) {
      const calls = [allowed[3] ?? '0x', data].map((each) => ({
        target: channels.address,
        data: each,
      }))
      const call = hub.write.run([calls], { account: claimer.account })
      await assertions.revertWithCustomErrorWithArgs(call, hub, 'SelectorNotAllowed', [
        1n,
        data.slice(0, 10) as Hex,
      ])
    }
  })

  it('refuses a claimer data that is shorter than a selector', async () => {
    const { hub, channels, claimer } = await hubOf()
    const calls = [{ target: channels.address, data: '0x123456' as const }]
    const call = hub.write.run([calls], { account: claimer.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'SelectorNotAllowed', [
      0n,
      '0x00000000',
    ])
  })

  it('refuses a target without code, so that nothing is taken for done', async () => {
    const { channels, operator } = await hubOf()
    const hub = await viem.deployContract('HubAccount', [
      keys.admin.address,
      keys.operator.address,
      channels.address,
      zeroAddress,
    ])
    const calls = [{ target: zeroAddress, data: '0x' as const }]
    const call = hub.write.run([calls], { account: operator.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'NoCode', [zeroAddress])
  })

  it('refuses all calls for one that reverts, and says which and why', async () => {
    const at = await hubOf()
    const { hub, vault, channels, token, operator, channelId } = at
    const rows = [{ account: keys.creator.address, credited: 601n }]
    const calls = [
      { target: channels.address, data: await claimData(at, 600n) },
      { target: vault.address, data: creditData(vault, { token: token.address, rows }) },
    ]
    const call = hub.write.run([calls], { account: operator.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'CallFailed', [
      1n,
      encodeErrorResult({
        abi: vault.abi,
        errorName: 'OwedAboveHeld',
        args: [token.address, 601n, 600n],
      }),
    ])
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 0n])
  })
})

describe('isValidSignature', () => {
  const hash = hashMessage('any')

  it("takes the operator's signature for the account's", async () => {
    const { hub } = await hubOf()
    const signature = await keys.operator.sign({ hash })
    assert.equal(await hub.read.isValidSignature([hash, signature]), valid)
  })

  it('lets the operator sign refunds and claims', async () => {
    const { channels, domain, config, channelId } = await hubOf()
    const refund = { channelId, nonce: 0n, amount: 100n }
    const signature = await signRefund(keys.operator, domain, refund)
    await channels.write.refundWithSignature([config, 100n, 0n, signature])
    assert.deepEqual(await channels.read.channels([channelId]), [900n, 0n])
  })

  for (const who of ['admin', 'claimer', 'creator'] as const) {
    it(`does not take the ${who}'s`, async () => {
      const { hub } = await hubOf()
      const signature = await keys[who].sign({ hash })
      assert.equal(await hub.read.isValidSignature([hash, signature]), invalid)
    })
  }

  it("does not take the operator's signature of something else", async () => {
    const { hub } = await hubOf()
    const signature = await keys.operator.sign({ hash: hashMessage('other') })
    assert.equal(await hub.read.isValidSignature([hash, signature]), invalid)
  })

  it('does not take malformed bytes, even without operator', async () => {
    const { hub, admin } = await hubOf()
    await hub.write.setOperator([zeroAddress], { account: admin.account })
    for (const bytes of [0, 64, 65, 66]) {
      const signature: Hex = `0x${'00'.repeat(bytes)}`
      assert.equal(await hub.read.isValidSignature([hash, signature]), invalid)
    }
  })
})

describe('setOperator', () => {
  it('replaces the operator, whose channels stay open', async () => {
    const at = await hubOf()
    const { hub, channels, admin, operator, stranger, channelId } = at
    const tx = hub.write.setOperator([keyOf(3).address], { account: admin.account })
    await assertions.emitWithArgs(tx, hub, 'OperatorChanged', [
      keys.operator.address,
      keyOf(3).address,
    ])
    assert.equal(await hub.read.operator(), keyOf(3).address)
    const calls = [{ target: channels.address, data: await claimData(at, 600n) }]
    const call = hub.write.run([calls], { account: operator.account })
    await assertions.revertWithCustomError(call, hub, 'NotOperatorOrClaimer')
    await hub.write.run([calls], { account: stranger.account })
    assert.deepEqual(await channels.read.channels([channelId]), [1_000n, 600n])
  })

  it('refuses everyone but the admin', async () => {
    const { hub, operator } = await hubOf()
    const call = hub.write.setOperator([keyOf(3).address], { account: operator.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'NotAdmin', [
      keys.operator.address,
      keys.admin.address,
    ])
  })
})

describe('setClaimer', () => {
  it('names and dismisses a claimer', async () => {
    const { hub, admin, stranger } = await hubOf()
    for (const allowed of [true, false]) {
      const tx = hub.write.setClaimer([keyOf(3).address, allowed], { account: admin.account })
      await assertions.emitWithArgs(tx, hub, 'ClaimerChanged', [keyOf(3).address, allowed])
      assert.equal(await hub.read.isClaimer([keyOf(3).address]), allowed)
    }
    const call = hub.write.run([[]], { account: stranger.account })
    await assertions.revertWithCustomError(call, hub, 'NotOperatorOrClaimer')
  })

  it('refuses everyone but the admin', async () => {
    const { hub, claimer } = await hubOf()
    const call = hub.write.setClaimer([keyOf(3).address, true], { account: claimer.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'NotAdmin', [
      keys.claimer.address,
      keys.admin.address,
    ])
  })
})

describe('transferAdmin and acceptAdmin', () => {
  it('hand the account over in two steps', async () => {
    const { hub, admin, stranger } = await hubOf()
    const proposal = hub.write.transferAdmin([keyOf(3).address], { account: admin.account })
    await assertions.emitWithArgs(proposal, hub, 'AdminTransferStarted', [
      keys.admin.address,
      keyOf(3).address,
    ])
    assert.equal(await hub.read.pendingAdmin(), keyOf(3).address)
    assert.equal(await hub.read.admin(), keys.admin.address)
    const acceptance = hub.write.acceptAdmin({ account: stranger.account })
    await assertions.emitWithArgs(acceptance, hub, 'AdminChanged', [
      keys.admin.address,
      keyOf(3).address,
    ])
    assert.equal(await hub.read.admin(), keyOf(3).address)
    assert.equal(await hub.read.pendingAdmin(), zeroAddress)
  })

  it('refuse a proposal by anyone but the admin', async () => {
    const { hub, operator } = await hubOf()
    const call = hub.write.transferAdmin([keyOf(3).address], { account: operator.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'NotAdmin', [
      keys.operator.address,
      keys.admin.address,
    ])
  })

  it('refuse an acceptance by anyone but the proposed admin', async () => {
    const { hub, admin, operator } = await hubOf()
    await hub.write.transferAdmin([keyOf(3).address], { account: admin.account })
    const call = hub.write.acceptAdmin({ account: operator.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'NotPendingAdmin', [
      keys.operator.address,
      keyOf(3).address,
    ])
  })

  it('refuse an acceptance after the proposal was taken back', async () => {
    const { hub, admin, stranger } = await hubOf()
    await hub.write.transferAdmin([keyOf(3).address], { account: admin.account })
    await hub.write.transferAdmin([zeroAddress], { account: admin.account })
    const call = hub.write.acceptAdmin({ account: stranger.account })
    await assertions.revertWithCustomErrorWithArgs(call, hub, 'NotPendingAdmin', [
      keyOf(3).address,
      zeroAddress,
    ])
  })
})

/** A deployment in the shape in which the assertions take calls. */
function addressOf(deployment: Promise<{ address: Address }>): Promise<Address> {
  return deployment.then(({ address }) => address)
}
