import assert from 'node:assert/strict'
import { getAddress, type Hex, parseSignature, toHex } from 'viem'
import { balances, keyOf, networkHelpers, openChannel, viem } from './fixture.ts'

const { assertions } = viem
const nonce = toHex(1, { size: 32 })
const [payer, fan] = [keyOf(0).address, keyOf(9).address]

async function token() {
  const at = await networkHelpers.loadFixture(openChannel)
  const chainId = await at.chain.getChainId()
  const domain = {
    name: 'Jandon Test Dollar',
    version: '1',
    chainId,
    verifyingContract: at.token.address,
  } as const
  return { ...at, domain }
}

type Token = Awaited<ReturnType<typeof token>>

const transferFields = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
] as const

const terms = [payer, fan, 5n, 0n, 1n << 40n, nonce] as const

function signTransfer(
  { domain }: Token,
  primaryType: 'TransferWithAuthorization' | 'ReceiveWithAuthorization',
): Promise<Hex> {
  const [from, to, value, validAfter, validBefore] = terms
  return keyOf(0).signTypedData({
    domain,
    types: { [primaryType]: transferFields },
    primaryType,
    message: { from, to, value, validAfter, validBefore, nonce },
  })
}

function signCancel({ domain }: Token): Promise<Hex> {
  return keyOf(0).signTypedData({
    domain,
    types: {
      CancelAuthorization: [
        { name: 'authorizer', type: 'address' },
        { name: 'nonce', type: 'bytes32' },
      ],
    },
    primaryType: 'CancelAuthorization',
    message: { authorizer: payer, nonce },
  })
}

/** A signature as the arguments v, r, s. */
function split(signature: Hex) {
  const { r, s, yParity } = parseSignature(signature)
  return [27 + yParity, r, s] as const
}

describe('TestToken', () => {
  it('has a name, a symbol and 6 decimals', async () => {
    const { token: jtd } = await token()
    assert.equal(await jtd.read.name(), 'Jandon Test Dollar')
    assert.equal(await jtd.read.symbol(), 'JTD')
    assert.equal(await jtd.read.decimals(), 6)
  })

  it('lets anyone mint', async () => {
    const { token: jtd, stranger } = await token()
    await jtd.write.mint([fan, 7n], { account: stranger.account })
    assert.deepEqual(await balances(jtd, fan), [7n])
  })

  it('permits by signature (ERC-2612)', async () => {
    const { token: jtd, domain, stranger } = await token()
    const signature = await keyOf(0).signTypedData({
      domain,
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
      message: { owner: payer, spender: fan, value: 5n, nonce: 0n, deadline: 1n << 40n },
    })
    await jtd.write.permit([payer, fan, 5n, 1n << 40n, ...split(signature)], {
      account: stranger.account,
    })
    assert.equal(await jtd.read.allowance([payer, fan]), 5n)
  })

  it('transfers by signature, as bytes and as v, r, s', async () => {
    const at = await token()
    const signature = await signTransfer(at, 'TransferWithAuthorization')
    const { token: jtd } = at
    const tx = jtd.write.transferWithAuthorization([...terms, signature])
    await assertions.emitWithArgs(tx, jtd, 'AuthorizationUsed', [payer, nonce])
    assert.deepEqual(await balances(jtd, fan), [5n])
    const again = jtd.write.transferWithAuthorization([...terms, ...split(signature)])
    await assertions.revertWithCustomErrorWithArgs(again, jtd, 'ERC3009UsedAuthorization', [
      payer,
      nonce,
    ])
  })

  it('lets only the recipient receive by signature', async () => {
    const at = await token()
    const signature = await signTransfer(at, 'ReceiveWithAuthorization')
    const { token: jtd } = at
    const call = jtd.write.receiveWithAuthorization([...terms, signature])
    await assertions.revertWithCustomErrorWithArgs(call, jtd, 'ERC20InvalidReceiver', [
      getAddress(fan),
    ])
    await jtd.write.receiveWithAuthorization([...terms, signature], { account: fan })
    assert.deepEqual(await balances(jtd, fan), [5n])
  })

  it('cancels by signature', async () => {
    const at = await token()
    const { token: jtd } = at
    const tx = jtd.write.cancelAuthorization([payer, nonce, await signCancel(at)])
    await assertions.emitWithArgs(tx, jtd, 'AuthorizationCanceled', [payer, nonce])
    assert.equal(await jtd.read.authorizationState([payer, nonce]), true)
    const signature = await signTransfer(at, 'TransferWithAuthorization')
    const call = jtd.write.transferWithAuthorization([...terms, signature])
    await assertions.revertWithCustomError(call, jtd, 'ERC3009UsedAuthorization')
  })

  it('refuses the signature of one function for another', async () => {
    const at = await token()
    const { token: jtd } = at
    const receive = await signTransfer(at, 'ReceiveWithAuthorization')
    const transfer = await signTransfer(at, 'TransferWithAuthorization')
    for (const call of [
      jtd.write.transferWithAuthorization([...terms, receive]),
      jtd.write.receiveWithAuthorization([...terms, transfer], { account: fan }),
      jtd.write.cancelAuthorization([payer, nonce, transfer]),
    ]) {
      await assertions.revertWithCustomError(call, jtd, 'ERC3009InvalidSignature')
    }
  })
})
