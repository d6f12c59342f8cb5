import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { buildPaymentFile } from './payment-file.ts'
import { type BankReport, readReport, type Status } from './reports.ts'
import { samplePaymentFile } from './sample-payment-file.ts'
import { loadSchemas } from './schema.ts'

const dir = fileURLToPath(new URL('../../../.jandon/xsd/', import.meta.url))

function statusReport(group: string, instruction = ''): string {
  return `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>
    <GrpHdr><MsgId>S1</MsgId><CreDtTm>2026-01-02T00:00:00Z</CreDtTm></GrpHdr>
    <OrgnlGrpInfAndSts><OrgnlMsgId>FILE1</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>${group}
    </OrgnlGrpInfAndSts>${instruction}</CstmrPmtStsRpt></Document>`
}

function transactionStatus(status: string): string {
  return statusReport(
    '',
    `<OrgnlPmtInfAndSts><OrgnlPmtInfId>FILE1</OrgnlPmtInfId><TxInfAndSts>
      <OrgnlEndToEndId>P1</OrgnlEndToEndId>${status}</TxInfAndSts></OrgnlPmtInfAndSts>`,
  )
}

function reason(code: string): string {
  return `<StsRsnInf><Rsn><Cd>${code}</Cd></Rsn><AddtlInf>one</AddtlInf><AddtlInf>two</AddtlInf></StsRsnInf>`
}

const entryHead = '<Amt Ccy="KRW">12340</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts>BOOK</Sts>'
const reference = '<AcctSvcrRef>E000000002</AcctSvcrRef>'
const bankCode = '<BkTxCd><Prtry><Cd>TRF</Cd></Prtry></BkTxCd>'

function notification(...entries: string[]): string {
  const content = entries.map((entry) => `<Ntry>${entry}</Ntry>`).join('')
  return `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.04"><BkToCstmrDbtCdtNtfctn>
    <GrpHdr><MsgId>N1</MsgId><CreDtTm>2026-01-02T00:00:00Z</CreDtTm></GrpHdr>
    <Ntfctn><Id>N1</Id><CreDtTm>2026-01-02T00:00:00Z</CreDtTm>
      <Acct><Id><Othr><Id>110</Id></Othr></Id></Acct>${content}</Ntfctn>
    </BkToCstmrDbtCdtNtfctn></Document>`
}

describe('readReport', () => {
  const schemas = loadSchemas(dir)

  after(() => schemas.dispose())

  function read(xml: string): BankReport {
    const result = readReport(schemas, xml)
    if (result.kind === 'refused') assert.fail(result.message)
    return result.value
  }

  function statusOf(xml: string): Status | undefined {
    const report = read(xml)
    assert.equal(report.kind, 'status-report')
    return report.instructions[0]?.transactions[0]?.status
  }

  function entriesOf(xml: string) {
    const report = read(xml)
    assert(report.kind !== 'status-report')
    return report.accounts.flatMap(({ entries }) => entries)
  }

  it('reads what a status report says of the file, the instruction and the transaction', () => {
    const xml = statusReport(
      '<GrpSts>PART</GrpSts>',
      `<OrgnlPmtInfAndSts><OrgnlPmtInfId>FILE1</OrgnlPmtInfId><PmtInfSts>PDNG</PmtInfSts>
        <TxInfAndSts><OrgnlEndToEndId>P1</OrgnlEndToEndId><TxSts>ACCP</TxSts></TxInfAndSts>
        <TxInfAndSts><OrgnlEndToEndId>NOTPROVIDED</OrgnlEndToEndId></TxInfAndSts></OrgnlPmtInfAndSts>`,
    )
    assert.deepEqual(read(xml), {
      kind: 'status-report',
      messageId: 'S1',
      originalMessageId: 'FILE1',
      status: { kind: 'pending', code: 'PART', reason: undefined },
      instructions: [
        {
          paymentInformationId: 'FILE1',
          status: { kind: 'pending', code: 'PDNG', reason: undefined },
          transactions: [
            { endToEndId: 'P1', status: { kind: 'accepted', code: 'ACCP' } },
            { endToEndId: undefined, status: { kind: 'not-stated' } },
          ],
        },
      ],
    })
  })

  for (const [code, kind] of [
    ['ACCP', 'accepted'],
    ['ACSP', 'accepted'],
    ['ACSC', 'completed'],
    ['PDNG', 'pending'],
    ['RJCT', 'rejected'],
    ['XXXX', 'unrecognised'],
  ] as const) {
    it(`reads the status ${code} as ${kind}`, () => {
      assert.equal(statusOf(transactionStatus(`<TxSts>${code}</TxSts>`))?.kind, kind)
    })
  }

  it('reads the reason of a rejection with the remarks of the bank', () => {
    assert.deepEqual(statusOf(transactionStatus(`<TxSts>RJCT</TxSts>${reason('AC04')}`)), {
      kind: 'rejected',
      code: 'RJCT',
      reason: { code: 'AC04', remarks: ['one', 'two'] },
    })
  })

  it("reads a bank's own reason code", () => {
    const own = '<StsRsnInf><Rsn><Prtry>OWN</Prtry></Rsn></StsRsnInf>'
    const status = statusOf(transactionStatus(`<TxSts>RJCT</TxSts>${own}`))
    assert.deepEqual(status, {
      kind: 'rejected',
      code: 'RJCT',
      reason: { code: 'OWN', remarks: [] },
    })
  })

  for (const code of ['AM05', 'DU01', 'DU04', 'DUPL']) {
    it(`does not take the reason ${code} for a rejection of the payment`, () => {
      assert.equal(
        statusOf(transactionStatus(`<TxSts>RJCT</TxSts>${reason(code)}`))?.kind,
        'duplicate',
      )
      const group = read(statusReport(`<GrpSts>RJCT</GrpSts>${reason(code)}`))
      assert.equal(group.kind, 'status-report')
      assert.equal(group.status.kind, 'duplicate')
    })
  }

  it('reads an entry with its identity, amount, direction, day and payment', () => {
    const xml = notification(
      `${entryHead}<BookgDt><DtTm>2026-01-03T00:30:00+09:00</DtTm></BookgDt>${reference}${bankCode}
        <NtryDtls><TxDtls><Refs><EndToEndId>P1</EndToEndId></Refs><Amt Ccy="KRW">12340</Amt>
          <CdtDbtInd>DBIT</CdtDbtInd></TxDtls></NtryDtls>`,
    )
    const amount = { kind: 'known', currency: 'KRW', amount: 12_340n }
    assert.deepEqual(read(xml), {
      kind: 'notification',
      messageId: 'N1',
      accounts: [
        {
          account: '110',
          entries: [
            {
              identity: { kind: 'servicer-reference', reference: 'E000000002' },
              status: 'booked',
              direction: 'debit',
              reversal: false,
              amount,
              bookingDate: '2026-01-03',
              transactions: [{ endToEndId: 'P1', amount, returned: { kind: 'no' } }],
            },
          ],
        },
      ],
    })
  })

  it('reads a return with its reason', () => {
    const xml = notification(
      `<Amt Ccy="KRW">5</Amt><CdtDbtInd>CRDT</CdtDbtInd><RvslInd>true</RvslInd><Sts>BOOK</Sts>${reference}
        ${bankCode}<NtryDtls><TxDtls><Amt Ccy="KRW">5</Amt><CdtDbtInd>CRDT</CdtDbtInd>
        <RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf></TxDtls></NtryDtls>`,
    )
    const [entry] = entriesOf(xml)
    assert.equal(entry?.direction, 'credit')
    assert.equal(entry.reversal, true)
    const expected = { kind: 'yes', reason: { code: 'AC04', remarks: [] } }
    assert.deepEqual(entry.transactions[0]?.returned, expected)
  })

  it('keeps an entry without a reference, and says that it has none', () => {
    const [entry] = entriesOf(notification(`${entryHead}${bankCode}`))
    assert.deepEqual(entry?.identity, { kind: 'none' })
    assert.deepEqual(entry?.transactions, [])
    assert.equal(entry?.bookingDate, undefined)
  })

  for (const [code, status] of [
    ['BOOK', 'booked'],
    ['PDNG', 'pending'],
    ['INFO', 'information'],
  ] as const) {
    it(`reads an entry that is ${status}`, () => {
      const [entry] = entriesOf(notification(`${entryHead}${bankCode}`.replace('BOOK', code)))
      assert.equal(entry?.status, status)
    })
  }

  for (const [currency, text, amount] of [
    ['KRW', '1000.00', 1_000n],
    ['KRW', '+1000.', 1_000n],
    ['USD', '12.5', 1_250n],
    ['USD', '.5', 50n],
    ['KWD', '1.00500', 1_005n],
    ['JPY', '\n 7 ', 7n],
    ['EUR', '0', 0n],
  ] as const) {
    it(`reads ${JSON.stringify(text)} ${currency} as ${amount} minor units`, () => {
      const head = entryHead.replace('Ccy="KRW">12340', `Ccy="${currency}">${text}`)
      const [entry] = entriesOf(notification(`${head}${bankCode}`))
      assert.deepEqual(entry?.amount, { kind: 'known', currency, amount })
    })
  }

  it('refuses an amount with more digits than its currency, naming both', () => {
    const xml = notification(`${entryHead}${bankCode}`.replace('12340', '12340.5'))
    const result = readReport(schemas, xml)
    assert.equal(result.kind, 'refused')
    assert.equal(result.code, 'amount-unreadable')
    assert.match(result.message, /^amount 12340\.5 KRW is not a decimal of 0 digits/)
  })

  for (const version of ['02', '03', '04']) {
    it(`reads the sample of camt.054.001.${version}, with its foreign money as it stands`, () => {
      const [entry] = entriesOf(readFileSync(`${dir}camt.054.001.${version}.xml`, 'utf8'))
      const reference = 'AAAASESS-FP-CN-98765/01'
      assert.deepEqual(entry?.identity, { kind: 'servicer-reference', reference })
      assert.deepEqual(entry?.amount, { kind: 'foreign', currency: 'SEK', text: '105678.50' })
      assert.equal(entry?.direction, 'credit')
      assert.equal(entry?.status, 'booked')
      assert.equal(entry?.bookingDate, '2010-10-18')
      assert.equal(entry?.transactions[0]?.endToEndId, 'MUELL/FINP/RA12345')
    })
  }

  it('refuses the sample of camt.054.001.01 by name', () => {
    const result = readReport(schemas, readFileSync(`${dir}camt.054.001.01.xml`, 'utf8'))
    assert.equal(result.kind, 'refused')
    assert.match(result.message, /^message camt\.054\.001\.01 is not supported/)
  })

  it('reads an account report by the same rules', () => {
    const xml = `<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.052.001.08"><BkToCstmrAcctRpt>
      <GrpHdr><MsgId>A1</MsgId><CreDtTm>2026-01-02T00:00:00Z</CreDtTm></GrpHdr>
      <Rpt><Id>A1</Id><Acct><Id><IBAN>DE89370400440532013000</IBAN></Id></Acct>
      <Ntry><Amt Ccy="EUR">1.20</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>${reference}${bankCode}
      <NtryDtls><TxDtls><Refs><EndToEndId>P1</EndToEndId></Refs></TxDtls></NtryDtls></Ntry></Rpt>
      </BkToCstmrAcctRpt></Document>`
    const report = read(xml)
    assert.equal(report.kind, 'account-report')
    assert.equal(report.accounts[0]?.account, 'DE89370400440532013000')
    const [entry] = entriesOf(xml)
    assert.equal(entry?.status, 'booked')
    const [transaction] = entry.transactions
    assert.deepEqual(transaction, { endToEndId: 'P1', amount: undefined, returned: { kind: 'no' } })
  })

  it('refuses a payment file', () => {
    const result = readReport(schemas, buildPaymentFile(samplePaymentFile()))
    assert.equal(result.kind, 'refused')
    assert.equal(result.code, 'not-a-report')
  })

  it('refuses a report that breaks its schema', () => {
    const result = readReport(schemas, notification('<Amt Ccy="KRW">1</Amt>'))
    assert.equal(result.kind, 'refused')
    assert.equal(result.code, 'schema-violated')
  })
})
