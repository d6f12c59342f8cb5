import assert from 'node:assert/strict'
import { encodeFunctionData, toHex } from 'viem'
import { balances, difference, keyOf, networkHelpers, openChannel, viem } from './fixture.ts'

const { assertions } = viem

async function calls() {
  const at = await networkHelpers.loadFixture(openChannel)
  const { channels, config } = at
  const { abi } = channels
  const other = { ...config, salt: toHex(2, { size: 32 }) }
  const deposit = encodeFunctionData({
    abi,
    functionName: 'depositDirect',
    args: [other, 40n],
  })
  const withdraw = encodeFunctionData({
    abi,
    functionName: 'initiateWithdraw',
    args: [other, 41n],
  })
  const otherId = await channels.read.getChannelId([other])
  return { ...at, deposit, withdraw, otherId }
}

describe('multicall', () => {
  it('makes calls in order in the name of the caller', async () => {
    const { channels, token, config, otherId, deposit, withdraw } = await calls()
    const before = await balances(token, config.payer, channels.address)
    await channels.write.multicall([[deposit, deposit, withdraw]])
    assert.deepEqual(await channels.read.channels([otherId]), [80n, 0n])
    const [amount] = await channels.read.pendingWithdrawals([otherId])
    assert.equal(amount, 41n)
    const after = await balances(token, config.payer, channels.address)
    assert.deepEqual(difference(before, after), [-80n, 80n])
  })

  it('returns what each call returned', async () => {
    const { channels, otherId } = await calls()
    const { abi } = channels
    const view = encodeFunctionData({ abi, functionName: 'refundNonce', args: [otherId] })
    const { result } = await channels.simulate.multicall([[view]])
    assert.deepEqual(result, [toHex(0, { size: 32 })])
  })

  it('refuses all calls for one that reverts, with its error', async () => {
    const { channels, otherId, deposit, withdraw } = await calls()
    const call = channels.write.multicall([[deposit, withdraw]])
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'WithdrawalAboveAvailable', [
      otherId,
      41n,
      40n,
    ])
    assert.deepEqual(await channels.read.channels([otherId]), [0n, 0n])
  })

  it('gives a caller no more than calls of their own would', async () => {
    const { channels, stranger, config, withdraw } = await calls()
    const call = channels.write.multicall([[withdraw]], { account: stranger.account })
    await assertions.revertWithCustomErrorWithArgs(call, channels, 'NotPayerSide', [
      keyOf(3).address,
      config.payer,
      config.payerAuthorizer,
    ])
  })
})
