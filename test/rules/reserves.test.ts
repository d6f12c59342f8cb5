// Somebody tries to make the books and the chain disagree, because that stops all payments (R14, I5).

import assert from 'node:assert/strict'
import type { Abi, Address, PrivateKeyAccount } from 'viem'
import { encodeFunctionData } from 'viem'
import { creatorVaultAbi, paymentChannelsAbi, testTokenAbi } from '#protocol/abi.ts'
import type { ChannelConfig } from '#protocol/channel.ts'
import { channelsDomain } from '#protocol/channel.ts'
import { voucherTypes } from '#protocol/voucher.ts'
import type { OpenChannel } from '../support/channels.ts'
import { depositDirect, onChannels, openChannel, sendTips } from '../support/channels.ts'
import { assertAnswer } from '../support/http.ts'
import type { HubFixture } from '../support/hub.ts'
import { newParty, openHub, reservesOf, settle, transact } from '../support/hub.ts'
import {
  addressOf,
  channelIdOf,
  configFor,
  newCreator,
  randomHash,
  tipOf,
  unit,
} from '../support/paper.ts'

let hub: HubFixture
let busker: PrivateKeyAccount
let channel: OpenChannel
let attacker: PrivateKeyAccount

describe('reserves by the rules', () => {
  before(async () => {
    hub = await openHub()
    busker = await newCreator(hub, 'busker')
    channel = await openChannel(hub)
    attacker = await newParty(hub, { tokens: 100n * unit })
  })

  after(() => hub?.close())

  /** The verdict is asked for, and then a tip and a settlement have to go through. */
  async function assertSolvent() {
    const report = await reservesOf(hub)
    assert.equal(report['verdict'], 'equal', JSON.stringify(report, null, 1))
    assertAnswer(await sendTips(hub, channel, [tipOf(busker, 100n)]), 200)
    const { settlements } = assertAnswer(await settle(hub), 202) as {
      settlements: { state: string }[]
    }
    assert.deepEqual(
      settlements.map(({ state }) => state),
      ['done'],
    )
    assert.equal((await reservesOf(hub))['verdict'], 'equal')
  }

  const vaultCall = (from: PrivateKeyAccount, functionName: string, args: readonly unknown[]) =>
    transact(hub, from, {
      address: hub.info.vault,
      abi: creatorVaultAbi as Abi,
      functionName,
      args,
    })

  /** A channel of the attacker's that nothing but the receiver side's key is needed for. */
  async function attackersChannel(changes: { payer?: Address; receiver?: Address }) {
    const config = configFor(hub, attacker, {
      receiverAuthorizer: addressOf(attacker),
      receiver: addressOf(attacker),
      withdrawDelay: 900,
      ...changes,
    })
    await depositDirect(hub, attacker, { config, amount: unit })
    return config
  }

  /** Claims on a channel of the attacker's, who is both its authorizers. */
  async function claimOn(config: ChannelConfig, amount: bigint) {
    const signature = await attacker.signTypedData({
      domain: channelsDomain({ chainId: hub.info.chainId, address: hub.info.channels.address }),
      types: voucherTypes,
      primaryType: 'Voucher',
      message: { channelId: channelIdOf(hub, config), maxClaimableAmount: amount },
    })
    const voucher = { channel: config, maxClaimableAmount: amount }
    const args = [[{ voucher, signature, totalClaimed: amount }]]
    await onChannels(hub, attacker, { functionName: 'claim', args })
  }

  function encode(functionName: string, args: readonly unknown[]) {
    return encodeFunctionData({ abi: paymentChannelsAbi as Abi, functionName, args })
  }

  describe('GET /v1/reserves, while strangers move money around (R14, I5)', () => {
    it('is equal after a tip was settled', assertSolvent)

    it('stays equal when somebody sends tokens to the vault', async () => {
      await transact(hub, attacker, {
        address: hub.world.token.address,
        abi: testTokenAbi as Abi,
        functionName: 'transfer',
        args: [hub.info.vault, 7n],
      })
      await assertSolvent()
    })

    it('stays equal when somebody settles in the hub’s place', async () => {
      const args = [hub.info.vault, hub.world.token.address]
      await onChannels(hub, attacker, { functionName: 'settle', args })
      await assertSolvent()
    })

    it('stays equal when a foreign channel pays into the vault', async () => {
      const config = await attackersChannel({ receiver: hub.info.vault })
      await claimOn(config, 3n)
      assert.equal((await reservesOf(hub))['verdict'], 'equal')
      const args = [hub.info.vault, hub.world.token.address]
      await onChannels(hub, attacker, { functionName: 'settle', args })
      await assertSolvent()
    })

    it('stays equal when a refund of a foreign channel goes to the vault as its payer', async () => {
      const config = await attackersChannel({ payer: hub.info.vault })
      await onChannels(hub, attacker, { functionName: 'refund', args: [config, 5n] })
      await assertSolvent()
    })

    it('stays equal when that refund stands in one transaction with a settlement of the same amount', async () => {
      const paying = await attackersChannel({ receiver: hub.info.vault })
      await claimOn(paying, 5n)
      const refunded = await attackersChannel({ payer: hub.info.vault })
      const both = [
        encode('refund', [refunded, 5n]),
        encode('settle', [hub.info.vault, hub.world.token.address]),
      ]
      await onChannels(hub, attacker, { functionName: 'multicall', args: [both] })
      await assertSolvent()
    })

    it('stays equal when a creator pays the treasury with a memo that no quote has', async () => {
      const args = [hub.world.token.address, hub.info.treasury, 11n, randomHash()]
      await vaultCall(busker, 'pay', args)
      await assertSolvent()
    })

    it('stays equal when a creator pays the hub’s fee account, the channels or a stranger', async () => {
      const { feeAccount, channels } = hub.info
      for (const to of [feeAccount, channels.address, addressOf(attacker)]) {
        await vaultCall(busker, 'pay', [hub.world.token.address, to, 1n, randomHash()])
      }
      await assertSolvent()
    })

    it('stays equal when somebody funds another’s channel without being asked', async () => {
      await depositDirect(hub, attacker, { config: channel.config, amount: 13n })
      await assertSolvent()
    })
  })
})
