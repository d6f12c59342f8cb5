import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Currency } from '#protocol/amount.ts'
import { descend } from './element.ts'
import { buildPaymentFile } from './payment-file.ts'
import { maxTransfers, PaymentFileError, type PaymentFileErrorCode } from './payment-file-check.ts'
import type {
  BankAccount,
  BankAgent,
  CreditTransfer,
  Party,
  PaymentFile,
  PostalAddress,
} from './payment-order.ts'
import {
  sampleCreditor,
  sampleDebtor,
  samplePaymentFile,
  sampleTransfer,
} from './sample-payment-file.ts'
import { loadSchemas, maxDocumentBytes } from './schema.ts'

const dir = fileURLToPath(new URL('../../../.jandon/xsd/', import.meta.url))
const iban = 'DE89370400440532013000'
const transferPath = ['PmtInf', 'CdtTrfTxInf']

function withTransfer(changes: Partial<CreditTransfer>): PaymentFile {
  return samplePaymentFile({ transfers: [sampleTransfer(changes)] })
}

function withCreditor(changes: Partial<Party>): PaymentFile {
  return withTransfer({ creditor: { ...sampleCreditor, ...changes } })
}

function withAddress(changes: Partial<PostalAddress>): PaymentFile {
  return withCreditor({ address: { townName: '서울', country: 'KR', ...changes } })
}

function international(changes: Partial<CreditTransfer> = {}): PaymentFile {
  const party = { name: 'A Customer', account: { iban }, agent: { bic: 'COBADEFFXXX' } }
  const transfer = sampleTransfer({ currency: 'EUR', creditor: party, ...changes })
  return samplePaymentFile({ profile: 'iso', debtor: party, transfers: [transfer] })
}

describe('buildPaymentFile', () => {
  const schemas = loadSchemas(dir)

  after(() => schemas.dispose())

  /** Both validators have to agree that the file is right. */
  function assertValid(xml: string): void {
    assert.deepEqual(schemas.validate(xml), { kind: 'valid', message: 'pain.001.001.09' })
    const args = ['--noout', '--nonet', '--schema', `${dir}pain.001.001.09.xsd`, '-']
    const second = spawnSync('xmllint', args, { input: xml, encoding: 'utf8' })
    assert.equal(second.error, undefined, 'xmllint comes with the Debian package libxml2-utils')
    assert.equal(second.status, 0, second.stderr)
  }

  function textsAt(xml: string, ...path: string[]): string[] {
    const result = schemas.read(xml, (root) =>
      descend(root, 'CstmrCdtTrfInitn', ...path).map((element) => element.content),
    )
    assert.equal(result.kind, 'read')
    return result.value
  }

  function assertRefused(file: PaymentFile, code: PaymentFileErrorCode, message: RegExp): void {
    assert.throws(
      () => buildPaymentFile(file),
      (error) => {
        assert(error instanceof PaymentFileError)
        assert.equal(error.code, code)
        assert.match(error.message, message)
        assert(error.message.startsWith(error.field))
        return true
      },
    )
  }

  it('writes a Korean file with clearing system members and account numbers', () => {
    const xml = buildPaymentFile(samplePaymentFile())
    assertValid(xml)
    const member = [...transferPath, 'CdtrAgt', 'FinInstnId', 'ClrSysMmbId']
    assert.deepEqual(textsAt(xml, ...member, 'ClrSysId', 'Prtry'), ['KFTC'])
    assert.deepEqual(textsAt(xml, ...member, 'MmbId'), ['020'])
    assert.deepEqual(textsAt(xml, ...transferPath, 'CdtrAcct', 'Id', 'Othr', 'Id'), [
      '1002123456789',
    ])
    assert.deepEqual(textsAt(xml, ...transferPath, 'PmtId', 'EndToEndId'), ['PAYOUT1A1'])
  })

  it('writes an international file with IBAN and BIC', () => {
    const xml = buildPaymentFile(international())
    assertValid(xml)
    assert.deepEqual(textsAt(xml, 'PmtInf', 'DbtrAcct', 'Id', 'IBAN'), [iban])
    assert.deepEqual(textsAt(xml, 'PmtInf', 'DbtrAgt', 'FinInstnId', 'BICFI'), ['COBADEFFXXX'])
  })

  it('writes a code of the ISO list as a code', () => {
    const agent = { clearingSystem: 'JPZGN', memberId: '0001001' }
    const creditor = { ...sampleCreditor, agent }
    const xml = buildPaymentFile(international({ currency: 'JPY', creditor }))
    assertValid(xml)
    const system = [...transferPath, 'CdtrAgt', 'FinInstnId', 'ClrSysMmbId', 'ClrSysId', 'Cd']
    assert.deepEqual(textsAt(xml, ...system), ['JPZGN'])
  })

  it('lets the debtor bear the charges, and each transfer be booked by itself', () => {
    const xml = buildPaymentFile(samplePaymentFile())
    assert.deepEqual(textsAt(xml, 'PmtInf', 'ChrgBr'), ['DEBT'])
    assert.deepEqual(textsAt(xml, 'PmtInf', 'BtchBookg'), ['false'])
  })

  it('gives the same text for the same file', () => {
    assert.equal(buildPaymentFile(samplePaymentFile()), buildPaymentFile(samplePaymentFile()))
  })

  const written: { currency: Currency; amount: bigint; text: string }[] = [
    { currency: 'KRW', amount: 1_000n, text: '1000' },
    { currency: 'JPY', amount: 1n, text: '1' },
    { currency: 'USD', amount: 1_230n, text: '12.30' },
    { currency: 'EUR', amount: 5n, text: '0.05' },
    { currency: 'KWD', amount: 1_005n, text: '1.005' },
    { currency: 'KWD', amount: 10n ** 18n - 1n, text: '999999999999999.999' },
  ]
  for (const { currency, amount, text } of written) {
    it(`writes ${amount} minor units of ${currency} as ${text}`, () => {
      const xml = buildPaymentFile(international({ currency, amount }))
      assertValid(xml)
      assert.deepEqual(textsAt(xml, ...transferPath, 'Amt', 'InstdAmt'), [text])
      assert.deepEqual(textsAt(xml, 'GrpHdr', 'CtrlSum'), [text])
    })
  }

  it('states the exact count and sum where a float would not', () => {
    const transfers = [10n ** 17n, 1n, 2n].map((amount, index) =>
      sampleTransfer({ amount, currency: 'USD', endToEndId: `P${index}` }),
    )
    const xml = buildPaymentFile(samplePaymentFile({ profile: 'iso', transfers }))
    assertValid(xml)
    for (const level of ['GrpHdr', 'PmtInf']) {
      assert.deepEqual(textsAt(xml, level, 'NbOfTxs'), ['3'])
      assert.deepEqual(textsAt(xml, level, 'CtrlSum'), ['1000000000000000.03'])
    }
  })

  const names = [
    `<&>"' ]]> </Nm>`,
    '한글 이름 (주식회사)',
    '가'.repeat(140),
    '🎵'.repeat(140),
    '&'.repeat(140),
  ]
  for (const name of names) {
    it(`keeps the name ${name.slice(0, 20)} of ${[...name].length} characters`, () => {
      const xml = buildPaymentFile(withCreditor({ name }))
      assertValid(xml)
      assert.deepEqual(textsAt(xml, ...transferPath, 'Cdtr', 'Nm'), [name])
    })
  }

  it('keeps every part of an address at its longest, and has no lines of free text', () => {
    const address = {
      streetName: 'S'.repeat(70),
      buildingNumber: 'B'.repeat(16),
      postCode: 'P'.repeat(16),
      townName: 'T'.repeat(35),
      country: 'KR',
    }
    const xml = buildPaymentFile(withAddress(address))
    assertValid(xml)
    const path = [...transferPath, 'Cdtr', 'PstlAdr']
    assert.deepEqual(textsAt(xml, ...path, 'StrtNm'), [address.streetName])
    assert.doesNotMatch(xml, /AdrLine/)
  })

  it('stays below the document limit with the most and longest transfers', () => {
    const name = '&'.repeat(140)
    const address = {
      streetName: '&'.repeat(70),
      buildingNumber: '&'.repeat(16),
      postCode: '&'.repeat(16),
      townName: '&'.repeat(35),
      country: 'KR',
    }
    const agent = { clearingSystem: '&'.repeat(35), memberId: '&'.repeat(35) }
    const account = { other: '1'.repeat(34) }
    const creditor = { name, address, agent, account }
    const transfers = Array.from({ length: maxTransfers }, (_, index) =>
      sampleTransfer({ endToEndId: String(index).padStart(35, 'A'), creditor, remittance: name }),
    )
    const xml = buildPaymentFile(samplePaymentFile({ profile: 'iso', transfers }))
    assert.equal(schemas.validate(xml).kind, 'valid')
    assert(Buffer.byteLength(xml) < maxDocumentBytes)
    assertRefused(
      samplePaymentFile({ profile: 'iso', transfers: [...transfers, sampleTransfer()] }),
      'transfer-count',
      /are 2001, not 1 to 2000$/,
    )
  }).timeout(60_000)

  it('refuses a file without transfers', () => {
    assertRefused(samplePaymentFile({ transfers: [] }), 'transfer-count', /are 0, not 1 to 2000$/)
  })

  for (const id of ['', 'A'.repeat(36), 'a-b', 'a b', 'a/b', 'é', 'a\n', '１']) {
    it(`refuses the id ${JSON.stringify(id)}`, () => {
      const shown = /is not 1 to 35 of A-Z, a-z, 0-9$/
      assertRefused(samplePaymentFile({ messageId: id }), 'id-malformed', shown)
      assertRefused(withTransfer({ endToEndId: id }), 'id-malformed', shown)
    })
  }

  it('takes ids of 35 characters', () => {
    const id = 'Az09'.padEnd(35, 'x')
    const transfers = [sampleTransfer({ endToEndId: id })]
    assertValid(buildPaymentFile(samplePaymentFile({ messageId: id, transfers })))
  })

  it('refuses one end-to-end id twice in a file', () => {
    const transfers = [sampleTransfer(), sampleTransfer({ amount: 1n })]
    const message = /^transfers\[1\]\.endToEndId PAYOUT1A1 is in this file twice$/
    assertRefused(samplePaymentFile({ transfers }), 'id-repeated', message)
  })

  for (const date of ['2026-02-29', '2026-13-01', '2026-1-2', '20260102', '2026-01-02Z', '']) {
    it(`refuses the execution date ${JSON.stringify(date)}`, () => {
      assertRefused(samplePaymentFile({ executionDate: date }), 'date-malformed', /is not a day$/)
    })
  }

  it('refuses a time of creation that is none', () => {
    const file = samplePaymentFile({ createdAt: new Date('never') })
    assertRefused(file, 'date-malformed', /^createdAt is not a point in time$/)
  })

  for (const amount of [0n, -1n, 10n ** 18n]) {
    it(`refuses the amount ${amount}`, () => {
      assertRefused(
        withTransfer({ amount }),
        'amount-out-of-range',
        new RegExp(`${amount} is not 1 to`),
      )
    })
  }

  it('refuses a sum that no control sum can state', () => {
    const transfers = ['A', 'B'].map((endToEndId) =>
      sampleTransfer({ endToEndId, amount: 10n ** 18n - 1n }),
    )
    const message = /sum to 1999999999999999998, above 999999999999999999$/
    assertRefused(samplePaymentFile({ transfers }), 'control-sum-too-large', message)
  })

  it('refuses two currencies in one file', () => {
    const transfers = (['EUR', 'USD'] as const).map((currency) =>
      sampleTransfer({ currency, endToEndId: currency }),
    )
    const message = /^transfers\[1\]\.currency USD differs from EUR of the first transfer$/
    assertRefused(samplePaymentFile({ profile: 'iso', transfers }), 'currency-mixed', message)
  })

  for (const [name, code] of [
    ['', 'text-length'],
    ['  ', 'text-length'],
    ['가'.repeat(141), 'text-length'],
    ['a\u0000b', 'text-character'],
    ['a\nb', 'text-character'],
    ['a\ud800b', 'text-character'],
    ['a\uffffb', 'text-character'],
  ] as const) {
    it(`refuses the name ${JSON.stringify(name.slice(0, 5))} of ${[...name].length} characters`, () => {
      assertRefused(withCreditor({ name }), code, /^transfers\[0\]\.creditor\.name has/)
      const debtor = { ...sampleDebtor, name }
      assertRefused(samplePaymentFile({ debtor }), code, /^debtor\.name has/)
    })
  }

  it('refuses a remittance text of 141 characters', () => {
    const remittance = 'r'.repeat(141)
    assertRefused(withTransfer({ remittance }), 'text-length', /remittance has 141 characters/)
  })

  for (const part of ['streetName', 'buildingNumber', 'postCode', 'townName'] as const) {
    it(`refuses an address with a ${part} above its limit`, () => {
      const limit = { streetName: 70, buildingNumber: 16, postCode: 16, townName: 35 }[part]
      const message = new RegExp(
        `address\\.${part} has ${limit + 1} characters, not 1 to ${limit}$`,
      )
      assertRefused(withAddress({ [part]: 'x'.repeat(limit + 1) }), 'text-length', message)
    })
  }

  it('refuses a country that is not two letters', () => {
    assertRefused(withAddress({ country: 'KOR' }), 'country-malformed', /"KOR" is not two letters$/)
  })

  const accounts: BankAccount[] = [
    { other: '' },
    { other: '1'.repeat(35) },
    { other: '12 34' },
    { iban: 'DE89' },
    { iban: 'de89370400440532013000' },
    { iban: 'DE88370400440532013000' },
  ]
  for (const account of accounts) {
    it(`refuses the account ${JSON.stringify(account)}`, () => {
      const creditor = { ...sampleCreditor, account }
      assertRefused(international({ creditor }), 'account-malformed', /creditor\.account/)
    })
  }

  const agents: { agent: BankAgent; code: PaymentFileErrorCode }[] = [
    { agent: { bic: 'COBADE' }, code: 'agent-malformed' },
    { agent: { clearingSystem: '', memberId: '020' }, code: 'text-length' },
    { agent: { clearingSystem: 'KFTC', memberId: '' }, code: 'text-length' },
  ]
  for (const { agent, code } of agents) {
    it(`refuses the agent ${JSON.stringify(agent)}`, () => {
      const creditor = { ...sampleCreditor, agent }
      assertRefused(international({ creditor }), code, /creditor\.agent/)
    })
  }

  it('refuses, in the profile korea, another currency, an IBAN, a BIC and a member id with letters', () => {
    const refused = 'profile-violated'
    assertRefused(withTransfer({ currency: 'USD' }), refused, /USD is not KRW/)
    assertRefused(withCreditor({ account: { iban } }), refused, /is an IBAN/)
    assertRefused(withCreditor({ agent: { bic: 'COBADEFF' } }), refused, /BIC COBADEFF is not/)
    const agent = { clearingSystem: 'KFTC', memberId: 'A20' }
    assertRefused(withCreditor({ agent }), refused, /member A20 is not/)
  })
})
