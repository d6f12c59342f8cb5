// Which bank documents are read and written here, and whether one keeps to its schema. A document is judged before
// anything in it is believed: size, no document type declaration, well-formed, a known message, its XSD.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  ParseOption,
  XmlDocument,
  type XmlElement,
  XmlParseError,
  XmlValidateError,
  XsdValidator,
} from 'libxml2-wasm'

/** The messages that are read or written, by namespace. Each has its XSD in a file `<message>.xsd`. */
const messageNames = [
  'pain.001.001.09',
  'pain.002.001.10',
  'camt.052.001.08',
  'camt.054.001.02',
  'camt.054.001.03',
  'camt.054.001.04',
] as const

export type MessageName = (typeof messageNames)[number]

/** The largest document that is written, sent or parsed, in bytes of UTF-8. */
export const maxDocumentBytes = 8 * 1024 * 1024

const namespacePrefix = 'urn:iso:std:iso:20022:tech:xsd:'
const maxReportedErrors = 20

/** One thing that is wrong with a document; `line` counts from 1, and is 0 when the parser names no line. */
export type DocumentError = { line: number; message: string }

/** Why a document was refused. `message` says it in a sentence with the values that disagree. */
export type DocumentRefusal = {
  kind: 'refused'
  code:
    | 'document-too-large'
    | 'document-type-declared'
    | 'not-well-formed'
    | 'message-not-supported'
    | 'schema-violated'
  message: string
  errors: DocumentError[]
}

/** A folder does not have the XSD of a message. Names the file, and what brings it. */
export class SchemasMissingError extends Error {
  override readonly name = 'SchemasMissingError'
}

export type Schemas = ReturnType<typeof loadSchemas>

/** The namespace of a message, as `pain.001.001.09` → `urn:iso:std:iso:20022:tech:xsd:pain.001.001.09`. */
export function namespaceOf(message: MessageName): string {
  return namespacePrefix + message
}

/**
 * Compiles the XSDs of a folder (`<message>.xsd`), once for the life of the process.
 *
 * Throws `SchemasMissingError` when one is not there. `dispose` gives the memory back; nothing may be called after it.
 */
export function loadSchemas(dir: string) {
  const validators = new Map(messageNames.map((name) => [name, compile(join(dir, `${name}.xsd`))]))

  /** Hands the root element of a valid document to `reader`; the element must not be kept after it returns. */
  function read<T>(
    xml: string,
    reader: (root: XmlElement, message: MessageName) => T,
  ): { kind: 'read'; value: T } | DocumentRefusal {
    const unparsed = refuseUnparsed(xml)
    if (unparsed) return unparsed
    const parsed = parse(xml)
    if (parsed.kind === 'refused') return parsed
    try {
      const { root } = parsed.document
      const message = messageNames.find((name) => namespaceOf(name) === root.namespaceUri)
      if (message === undefined) return refuseMessage(root)
      const violation = violationOf(validators.get(message), parsed.document, message)
      return violation ?? { kind: 'read', value: reader(root, message) }
    } finally {
      parsed.document.dispose()
    }
  }

  return {
    read,
    /** Says which message a document is, or why it is refused. */
    validate(xml: string): { kind: 'valid'; message: MessageName } | DocumentRefusal {
      const result = read(xml, (_root, message) => message)
      return result.kind === 'read' ? { kind: 'valid', message: result.value } : result
    },
    dispose(): void {
      for (const validator of validators.values()) validator.dispose()
    },
  }
}

function compile(path: string): XsdValidator {
  if (!existsSync(path)) {
    throw new SchemasMissingError(`${path} is missing; scripts/schemas.ts fetches the schemas`)
  }
  const document = XmlDocument.fromBuffer(readFileSync(path), {
    option: ParseOption.XML_PARSE_NONET,
  })
  try {
    return XsdValidator.fromDoc(document)
  } finally {
    document.dispose()
  }
}

/** What can be refused on the text alone, so that the parser never meets an entity. */
function refuseUnparsed(xml: string): DocumentRefusal | undefined {
  const bytes = Buffer.byteLength(xml)
  if (bytes > maxDocumentBytes) {
    return refuse('document-too-large', `document of ${bytes} bytes is above ${maxDocumentBytes}`)
  }
  const declared = xml.indexOf('<!DOCTYPE')
  if (declared >= 0) {
    const line = xml.slice(0, declared).split('\n').length
    return refuse('document-type-declared', `document type declaration on line ${line}`)
  }
  return undefined
}

/** A text is already decoded, so the encoding that its declaration names no longer applies. */
function parse(xml: string): { kind: 'parsed'; document: XmlDocument } | DocumentRefusal {
  const option =
    ParseOption.XML_PARSE_NONET | ParseOption.XML_PARSE_NO_XXE | ParseOption.XML_PARSE_BIG_LINES
  try {
    return {
      kind: 'parsed',
      document: XmlDocument.fromBuffer(Buffer.from(xml), { option, encoding: 'UTF-8' }),
    }
  } catch (error) {
    if (!(error instanceof XmlParseError)) throw error
    return refuse('not-well-formed', 'document is not well-formed XML', error.details)
  }
}

function refuseMessage(root: XmlElement): DocumentRefusal {
  const found = root.namespaceUri.replace(namespacePrefix, '') || `<${root.name}> in no namespace`
  const message = `message ${found} is not supported; supported are ${messageNames.join(', ')}`
  return refuse('message-not-supported', message)
}

function violationOf(
  validator: XsdValidator | undefined,
  document: XmlDocument,
  message: MessageName,
): DocumentRefusal | undefined {
  try {
    validator?.validate(document)
    return undefined
  } catch (error) {
    if (!(error instanceof XmlValidateError)) throw error
    return refuse('schema-violated', `document does not keep to ${message}.xsd`, error.details)
  }
}

function refuse(
  code: DocumentRefusal['code'],
  message: string,
  details: DocumentError[] = [],
): DocumentRefusal {
  const errors = details
    .slice(0, maxReportedErrors)
    .map(({ line, message: text }) => ({ line, message: text.trim() }))
  return { kind: 'refused', code, message, errors }
}
