import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { diag } from 'libxml2-wasm'
import { buildPaymentFile } from './payment-file.ts'
import { samplePaymentFile } from './sample-payment-file.ts'
import { loadSchemas, maxDocumentBytes, SchemasMissingError } from './schema.ts'

const dir = fileURLToPath(new URL('../../../.jandon/xsd/', import.meta.url))

describe('loadSchemas', () => {
  it('names the missing file and what brings it', () => {
    assert.throws(() => loadSchemas('/nowhere'), {
      name: SchemasMissingError.name,
      message: /^\/nowhere\/pain\.001\.001\.09\.xsd is missing; scripts\/schemas\.ts/,
    })
  })
})

describe('validate', () => {
  const schemas = loadSchemas(dir)
  const xml = buildPaymentFile(samplePaymentFile())

  after(() => schemas.dispose())

  it('names the message of a valid document', () => {
    assert.deepEqual(schemas.validate(xml), { kind: 'valid', message: 'pain.001.001.09' })
  })

  for (const version of ['02', '03', '04']) {
    it(`takes the sample of camt.054.001.${version}`, () => {
      const message = `camt.054.001.${version}`
      const sample = readFileSync(`${dir}${message}.xml`, 'utf8')
      assert.deepEqual(schemas.validate(sample), { kind: 'valid', message })
    })
  }

  it('refuses camt.054.001.01 by name, whose sample breaks its own schema', () => {
    const path = `${dir}camt.054.001.01`
    const result = schemas.validate(readFileSync(`${path}.xml`, 'utf8'))
    assert.equal(result.kind, 'refused')
    assert.equal(result.code, 'message-not-supported')
    assert.match(result.message, /^message camt\.054\.001\.01 is not supported; supported are pain/)
    const second = spawnSync('xmllint', ['--noout', '--schema', `${path}.xsd`, `${path}.xml`])
    assert.equal(second.status, 3, String(second.stderr))
  })

  it('reads a text by its characters, whatever encoding it once had', () => {
    const declared = xml.replace('encoding="UTF-8"', 'encoding="ISO-8859-1"')
    assert.notEqual(declared, xml)
    const name = schemas.read(declared, (root) => root.content.includes('홍길동'))
    assert.deepEqual(name, { kind: 'read', value: true })
  })

  it('refuses a document of one byte above the limit, and takes one at it', () => {
    const padding = maxDocumentBytes - Buffer.byteLength(xml)
    assert.equal(schemas.validate(xml + ' '.repeat(padding)).kind, 'valid')
    const result = schemas.validate(xml + ' '.repeat(padding + 1))
    assert.equal(result.kind, 'refused')
    assert.equal(result.code, 'document-too-large')
    assert.match(
      result.message,
      new RegExp(`${maxDocumentBytes + 1} bytes is above ${maxDocumentBytes}`),
    )
  })

  it('refuses a document type declaration before parsing, naming its line', () => {
    const entity = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    const result = schemas.validate(xml.replace('?>\n', `?>\n${entity}\n`))
    assert.equal(result.kind, 'refused')
    assert.equal(result.code, 'document-type-declared')
    assert.match(result.message, /on line 2$/)
  })

  for (const text of ['', 'no XML', '<Document>', `${'<a>'.repeat(10_000)}`]) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))} as not well-formed`, () => {
      const result = schemas.validate(text)
      assert.equal(result.kind, 'refused')
      assert.equal(result.code, 'not-well-formed')
    })
  }

  it('refuses a root without a namespace', () => {
    const result = schemas.validate('<Document/>')
    assert.equal(result.kind, 'refused')
    assert.match(result.message, /<Document> in no namespace/)
  })

  it('lists every violation with its line', () => {
    const broken = xml
      .replace('<PmtMtd>TRF</PmtMtd>', '<PmtMtd>CASH</PmtMtd>')
      .replace('<ChrgBr>DEBT</ChrgBr>', '<ChrgBr>NONE</ChrgBr>')
    const lines = broken.split('\n')
    const result = schemas.validate(broken)
    assert.equal(result.kind, 'refused')
    assert.equal(result.code, 'schema-violated')
    assert.deepEqual(
      result.errors.map(({ line }) => lines[line - 1]?.trim()),
      ['<PmtMtd>CASH</PmtMtd>', '<ChrgBr>NONE</ChrgBr>'],
    )
  })

  it('leaves no memory behind, whatever it answers', () => {
    diag.configure({ enabled: true })
    for (const text of [xml, xml.replace('TRF', 'CASH'), '<Document/>', '<Document>']) {
      schemas.validate(text)
    }
    assert.throws(() =>
      schemas.read(xml, () => {
        throw new Error('reader failed')
      }),
    )
    const report = diag.report()
    diag.configure({ enabled: false })
    assert.deepEqual(report, {})
  })
})
