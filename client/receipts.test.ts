import assert from 'node:assert/strict'
import type { BasketReceipt, ReceiptLeaf } from '#protocol/receipt.ts'
import { makeTip, signBasket } from './baskets.ts'
import { ownReceiptFault, signedMaximum, wholeReceiptFault } from './receipts.ts'
import type { BasketRecord } from './records.ts'
import { offlineContext } from './testing/context.ts'
import { hashOf, hub, payer, receiptOf } from './testing/hub-paper.ts'

const base = 40n

describe('ownReceiptFault', () => {
  let basket: BasketRecord
  let receipt: BasketReceipt

  before(async () => {
    basket = await makeBasket()
    receipt = await receiptOf(basket)
  })

  it('finds nothing wrong with the receipt of what was signed', async () => {
    assert.equal(await ownReceiptFault(receipt, { basket, hub }), undefined)
  })

  it('takes the receipt of an earlier signature over the same basket (R2)', async () => {
    const raised = {
      ...basket,
      maxClaimableAmount: 500n,
      signatures: [...basket.signatures, hashOf(1)],
    }
    assert.equal(await ownReceiptFault(receipt, { basket: raised, hub }), undefined)
  })

  it('takes a receipt that ends above its own maximum, which a higher ceiling covers (R1)', async () => {
    const above = await receiptOf(basket, (leaves) =>
      leaves.map((leaf) => ({ ...leaf, chargedAfter: leaf.chargedAfter + 50n })),
    )
    assert.equal(await ownReceiptFault(above, { basket, hub }), undefined)
  })

  it('refuses a receipt with any one field changed', async () => {
    const variants = tampered(receipt)
    assert.ok(variants.length > 40, `${variants.length} variants`)
    for (const { field, changed } of variants) {
      const fault = await ownReceiptFault(changed, { basket, hub })
      assert.ok(fault, `a receipt with another ${field} is taken`)
    }
  })

  for (const [lie, change] of Object.entries(lies())) {
    it(`refuses what the hub signed when ${lie}`, async () => {
      const signed = await receiptOf(basket, change)
      assert.ok(await ownReceiptFault(signed, { basket, hub }))
    })
  }

  it('refuses a receipt that another key signed', async () => {
    const other = { ...hub, receiptSigner: hub.vault }
    const fault = await ownReceiptFault(receipt, { basket, hub: other })
    assert.match(fault ?? '', /is not signed by/)
  })

  it('refuses a receipt of another hub account or chain', async () => {
    for (const other of [
      { ...hub, hubAccount: hub.vault },
      { ...hub, chainId: 1 },
    ]) {
      assert.ok(await ownReceiptFault(receipt, { basket, hub: other }))
    }
  })

  it('refuses the good receipt of another basket', async () => {
    const other = await makeBasket({ amounts: [1n] })
    const fault = await ownReceiptFault(await receiptOf(other), { basket, hub })
    assert.equal(fault, 'the receipt is of another basket')
  })
})

describe('wholeReceiptFault', () => {
  it('takes a receipt that others got', async () => {
    const receipt = await receiptOf(await makeBasket())
    assert.equal(await wholeReceiptFault(receipt, hub), undefined)
  })

  it('refuses a receipt that leaves a tip of the basket out', async () => {
    const receipt = await receiptOf(await makeBasket())
    const partial = { ...receipt, tips: receipt.tips.slice(0, 1) }
    assert.match((await wholeReceiptFault(partial, hub)) ?? '', /not the basket/)
  })
})

describe('signedMaximum', () => {
  it('knows our own signature by the maximum that it was made for', async () => {
    const basket = await makeBasket()
    const receipt = await receiptOf(basket)
    const maximums = [1n, basket.maxClaimableAmount]
    const { address: authorizer } = payer
    assert.equal(await signedMaximum(receipt, { authorizer, hub, maximums }), maximums[1])
  })

  it('does not know a signature of somebody else, or for another maximum', async () => {
    const basket = await makeBasket()
    const receipt = await receiptOf(basket)
    const maximums = [basket.maxClaimableAmount]
    assert.equal(await signedMaximum(receipt, { authorizer: hub.vault, hub, maximums }), undefined)
    const authorizer = payer.address
    assert.equal(await signedMaximum(receipt, { authorizer, hub, maximums: [1n] }), undefined)
  })
})

function makeBasket({ amounts = [100n, 60n, 7n] } = {}): Promise<BasketRecord> {
  const context = offlineContext()
  const tips = amounts.map((amount, at) => ({
    name: `creator${at}`,
    tip: makeTip(context, `0x${(at + 1).toString().repeat(40)}`, { amount, message: `tip ${at}` }),
  }))
  return signBasket(context, { hub, channel: { channelId: hashOf(5), base }, tips })
}

/** What a hub could sign although it is not so. */
function lies(): { [lie: string]: (leaves: ReceiptLeaf[]) => ReceiptLeaf[] } {
  const first = (change: Partial<ReceiptLeaf>) => (leaves: ReceiptLeaf[]) =>
    leaves.map((leaf, at) => (at === 0 ? { ...leaf, ...change } : leaf))
  const shifted = (by: bigint) => (leaves: ReceiptLeaf[]) =>
    leaves.map((leaf) => ({ ...leaf, chargedAfter: leaf.chargedAfter + by }))
  return {
    'a tip went to somebody else': first({ to: hashOf(0xee) }),
    'a tip has another amount': first({ amount: 101n, chargedAfter: 141n }),
    'a tip has another ref': first({ ref: hashOf(0xee) }),
    'a tip is of another channel': first({ channelId: hashOf(0xee) }),
    'a tip is of another basket': first({ basketId: hashOf(0xee) }),
    'a tip carries a signature that never left': first({
      voucherSignature: `0x${'11'.repeat(65)}`,
    }),
    'the fee is above the tip': first({ fee: 101n }),
    'the creator got less than the tip': first({ acceptedAfter: 97n }),
    'the charge jumps between two tips': first({ chargedAfter: 139n }),
    'less was charged before than is proven': shifted(-1n),
    'a tip is missing': (leaves) => leaves.slice(0, 2),
    'the tips are in another order': (leaves) => [...leaves].reverse(),
  }
}

function tampered(receipt: BasketReceipt): { field: string; changed: BasketReceipt }[] {
  const header = Object.entries(receipt.header).map(([field, value]) => ({
    field: `header.${field}`,
    changed: { ...receipt, header: { ...receipt.header, [field]: other(value) } },
  }))
  const leaves = receipt.tips.flatMap((tip, at) =>
    Object.entries(tip.leaf).map(([field, value]) => {
      const leaf = { ...tip.leaf, [field]: other(value) }
      return {
        field: `tips.${at}.leaf.${field}`,
        changed: { ...receipt, tips: receipt.tips.with(at, { ...tip, leaf }) },
      }
    }),
  )
  const paths = receipt.tips.map((tip, at) => {
    const path = tip.path.map((node, depth) => (depth === 0 ? hashOf(0xdd) : node))
    return {
      field: `tips.${at}.path`,
      changed: { ...receipt, tips: receipt.tips.with(at, { ...tip, path }) },
    }
  })
  return [
    { field: 'basketId', changed: { ...receipt, basketId: hashOf(0xdd) } },
    {
      field: 'headerSignature',
      changed: { ...receipt, headerSignature: `0x${'11'.repeat(64)}1b` as const },
    },
    { field: 'tips', changed: { ...receipt, tips: [] } },
    ...header,
    ...leaves,
    ...paths,
  ]
}

/** A value of the same kind that is not the same. */
function other(value: bigint | number | string): bigint | number | string {
  if (typeof value === 'bigint') return value + 1n
  if (typeof value === 'number') return value + 1
  return value.endsWith('0') ? `${value.slice(0, -1)}1` : `${value.slice(0, -1)}0`
}
