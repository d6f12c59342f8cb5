// Brings the ISO 20022 schemas, and sample documents for the tests, into `.jandon/xsd`. They are not ours to publish, so
// they come from two Debian packages, and each file is pinned by its SHA-256: a package may change its version, a schema
// may not change at all.
//
// Runs as root and as a plain user: nothing is installed, and package lists are only fetched into a temporary folder.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateRawSync } from 'node:zlib'
import { obtainPackages } from './debian.ts'

const target = fileURLToPath(new URL('../.jandon/xsd/', import.meta.url))
const jarPackage = 'libhbci4j-core-java'
const jarPath = 'usr/share/java/hbci4j-core.jar'
const folderPackage = 'tryton-modules-account-payment-sepa'
const folderPath = 'usr/lib/python3/dist-packages/trytond/modules/account_payment_sepa/tests'

/** SHA-256 of each file, by where it comes from. */
const pins = {
  jar: {
    'camt.052.001.08.xsd': '9bb093a0c39cd278d25b40d9ec8c59d1e8f6ab37536c83b84d41bbf5c7f8bd6c',
    'pain.001.001.09.xsd': 'de038b373e47b0077b1832ddd81f4b2f1eb25d35721f62da1e38b7f5a09fda24',
    'pain.002.001.10.xsd': '2f9f8d0e9891fa9f31ccf0576397afe501614384d688ae6e43ba694b3d24b0cf',
  },
  folder: {
    'camt.054.001.01.xml': '339ac05ed8c4cc3a20d33c98f916cefd4bf9764dd9680bac9855d85c0e648f15',
    'camt.054.001.01.xsd': 'd4a66fbe7bc58015889060520ed19e942aa958c69732fef1049cace229363e30',
    'camt.054.001.02.xml': 'ce1268738b1cb156cd66aa91fe6e469e807579595f06c4567fd30740fdf8a8fa',
    'camt.054.001.02.xsd': '7ff18dd9ceb927ea6576cc1c367b1e14aa10df3332b21629e1ca5d001fa4cada',
    'camt.054.001.03.xml': '2f61aa796398147b233c4be83e3cea76fa7d47250357226d5907c55dd1460dc9',
    'camt.054.001.03.xsd': 'b417cf34079a97eaf577a10a85bbae065471795030bbad86d68fd54395816949',
    'camt.054.001.04.xml': '211e3e1993a0e8299bbdbb83af8fdd7f8d91a921c74e8b74a9b33d188bf812f8',
    'camt.054.001.04.xsd': '5f4ea2962f95c93bcd0c1b609f9c49dcc9e5d30928051b546b4f17eb35cd7880',
  },
} as const

type Files = ReadonlyMap<string, Buffer>
type Obtained = { kind: 'files'; files: Files } | { kind: 'failed'; why: string }

const pinned = new Map<string, string>(
  Object.values(pins).flatMap((files) => Object.entries(files)),
)
const missing = [...pinned].filter(([name, sha256]) => !hasFile(name, sha256))
if (missing.length > 0) {
  const obtained = obtain()
  const problem = obtained.kind === 'failed' ? obtained.why : firstMismatch(obtained.files)
  if (problem !== undefined) stop(problem)
  if (obtained.kind === 'files') store(obtained.files)
}

function hasFile(name: string, sha256: string): boolean {
  return existsSync(join(target, name)) && sha256Of(readFileSync(join(target, name))) === sha256
}

/** Downloads and unpacks both packages in a temporary folder, which is gone afterwards. */
function obtain(): Obtained {
  process.stderr.write('jandon: fetching ISO 20022 schemas from Debian packages (once) …\n')
  const work = mkdtempSync(join(tmpdir(), 'jandon-xsd-'))
  try {
    const why = obtainPackages([jarPackage, folderPackage], work)
    return why === undefined ? { kind: 'files', files: collect(work) } : { kind: 'failed', why }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function collect(work: string): Files {
  const root = join(work, 'root')
  const jar = join(root, jarPath)
  const files = existsSync(jar)
    ? zipEntries(readFileSync(jar), new Set(Object.keys(pins.jar)))
    : new Map<string, Buffer>()
  for (const name of Object.keys(pins.folder)) {
    const path = join(root, folderPath, name)
    if (existsSync(path)) files.set(name, readFileSync(path))
  }
  return files
}

function firstMismatch(files: Files): string | undefined {
  for (const [name, sha256] of pinned) {
    const file = files.get(name)
    if (file === undefined) return `${name} is not in the packages`
    const found = sha256Of(file)
    if (found !== sha256) return `${name} has SHA-256 ${found}, expected ${sha256}`
  }
  return undefined
}

/** Each file appears whole or not at all, also when two set-ups run at once. */
function store(files: Files): void {
  mkdirSync(target, { recursive: true })
  for (const [name, content] of files) {
    const temporary = join(target, `${name}.${process.pid}`)
    writeFileSync(temporary, content)
    renameSync(temporary, join(target, name))
  }
}

/**
 * The wanted files of a zip archive, found through its central directory.
 *
 * Reads what a jar uses: one volume, sizes below 4 GiB, stored or deflated entries. What comes out is checked by hash.
 */
function zipEntries(zip: Buffer, wanted: ReadonlySet<string>): Map<string, Buffer> {
  const found = new Map<string, Buffer>()
  const end = zip.lastIndexOf(Buffer.from('PK\u0005\u0006'))
  if (end < 0) return found
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const nameLength = zip.readUInt16LE(at + 28)
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength)
    if (wanted.has(name)) found.set(name, zipContent(zip, at))
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return found
}

function zipContent(zip: Buffer, entry: number): Buffer {
  const header = zip.readUInt32LE(entry + 42)
  const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28)
  const packed = zip.subarray(start, start + zip.readUInt32LE(entry + 20))
  return zip.readUInt16LE(entry + 10) === 8 ? inflateRawSync(packed) : packed
}

function sha256Of(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

function stop(why: string): never {
  process.stderr.write(
    `jandon: the ISO 20022 schemas could not be fetched: ${why}.\n` +
      `They come from the Debian packages ${jarPackage} and ${folderPackage}. On Debian or Ubuntu, check the network and\n` +
      `that apt-get works, then run the same command again. Elsewhere, copy these files into ${target}:\n` +
      `${[...pinned.keys()].map((name) => `  ${name}\n`).join('')}`,
  )
  process.exit(1)
}
