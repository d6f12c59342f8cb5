import assert from 'node:assert/strict'
import fc from 'fast-check'
import { bytesToHex, hexToBytes, numberToHex } from 'viem'
import { hexBytes, readAmount, readHex, writeAmount, writeHex } from './hex.ts'
import { amounts, hexOf, holds } from './testing/arbitrary.ts'

describe('writeHex and readHex', () => {
  holds('write and read what viem does', hexOf(65), (hex) => {
    const bytes = new Uint8Array(70)
    assert.equal(writeHex(bytes, 3, hex), 3 + hexBytes(hex))
    assert.deepEqual(bytes.subarray(3, 68), hexToBytes(hex))
    assert.equal(readHex(bytes, 3, 68), bytesToHex(hexToBytes(hex)))
  })

  it('write upper-case digits too', () => {
    const bytes = new Uint8Array(2)
    writeHex(bytes, 0, '0xABcd')
    assert.deepEqual([...bytes], [0xab, 0xcd])
  })

  for (const text of ['0x0g', '0x-1', '0x  ', '0x1é', '0xﬀ00'] as const) {
    it(`refuse ${text}`, () => {
      assert.throws(() => writeHex(new Uint8Array(8), 0, text), RangeError)
    })
  }

  it('read without Buffer, as in a browser', () => {
    const { Buffer: buffer } = globalThis
    Reflect.deleteProperty(globalThis, 'Buffer')
    try {
      assert.equal(readHex(new Uint8Array([0, 1, 0x7f, 0xff])), '0x00017fff')
    } finally {
      globalThis.Buffer = buffer
    }
  })
})

describe('writeAmount and readAmount', () => {
  holds('write 16 bytes and read them back', fc.tuple(amounts, fc.nat(15)), ([amount, at]) => {
    const bytes = new Uint8Array(32)
    const view = new DataView(bytes.buffer)
    writeAmount(view, at, amount)
    assert.equal(readHex(bytes, at, at + 16), numberToHex(amount, { size: 16 }))
    assert.equal(readAmount(view, at), amount)
  })

  for (const amount of [-1n, 2n ** 128n, 2n ** 200n, -(2n ** 64n)]) {
    it(`refuse ${amount}`, () => {
      assert.throws(() => writeAmount(new DataView(new ArrayBuffer(16)), 0, amount), RangeError)
    })
  }
})
