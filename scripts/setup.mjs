// Brings a clone into the state that the other scripts need, on any Node from 20.19 on, and does nothing when nothing
// changed: packages, compiled contracts, ISO 20022 schemas, with --test what only the tests need, and with --prove what proofs need. It is plain
// JavaScript because it runs before a Node that can strip types is known to be there.
//
// Hardhat 3 needs Node >= 22.13 and Node runs TypeScript as it is from 22.18. On an older Node, npm would also leave out
// Hardhat's native part. So there the installation itself runs under a newer Node from npm, which stays in
// node_modules/.bin, where npm's scripts find it before the old one.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const newerNode = 'node@24'
const bin = join(root, 'node_modules', '.bin')

once('packages', ['package.json', 'package-lock.json'], installPackages)
once('contracts', ['contracts', 'hardhat.config.ts'], buildContracts)
fetchSchemas()
if (process.argv.includes('--test')) {
  requireForTests('xmllint', ['libxml2-utils'])
  requireForTests('cc', ['gcc', 'libc6-dev'])
}
if (process.argv.includes('--test') || process.argv.includes('--prove')) requireZ3()

/** Does `work` unless it was done for the same contents of `sources` on the same platform. */
function once(name, sources, work) {
  const stamp = join(root, 'node_modules', `.jandon-${name}`)
  const wanted = fingerprint(sources)
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  work()
  writeFileSync(stamp, wanted)
}

function fingerprint(sources) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  for (const path of sources.flatMap(filesOf))
    hash.update(path).update(readFileSync(join(root, path)))
  return hash.digest('hex')
}

function filesOf(path) {
  if (statSync(join(root, path)).isFile()) return [path]
  return readdirSync(join(root, path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sol'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length))
    .sort()
}

function installPackages() {
  const install = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error']
  say('installing packages (once; about a minute) …')
  if (isOurs(process.execPath)) must('npm', [...install, newerNode])
  else if (runsTypeScript(process.versions.node)) must('npm', install)
  else must('npx', ['--yes', `--package=${newerNode}`, '--', 'npm', ...install, newerNode])
}

function buildContracts() {
  say('compiling contracts …')
  must('hardhat', ['build', '--quiet', '--no-tests'], 'pipe')
}

/** Cash-out needs the schemas; everything else works without them. */
function fetchSchemas() {
  const { status } = run('node', [join(root, 'scripts', 'schemas.ts')])
  if (status !== 0) say('without the ISO 20022 schemas there is no cash-out; everything else works')
}

/** The tests hold every payment file against a second validator, and compile a disk that fails. */
function requireForTests(command, packages) {
  if (run(command, ['--version'], 'ignore').status === 0) return
  say(`installing ${command} for the tests …`)
  run('apt-get', ['update', '-qq'], 'ignore')
  run('apt-get', ['install', '-y', '-qq', ...packages], 'ignore')
  if (run(command, ['--version'], 'ignore').status === 0) return
  const install = `sudo apt-get install ${packages.join(' ')}`
  say(`the tests need ${command}: install it (Debian: ${install}) and run the same again`)
  process.exit(1)
}

/** What is proved about the contracts is proved by z3; nothing else needs it. The script says what to do when it fails. */
function requireZ3() {
  const { status } = run('node', [join(root, 'scripts', 'z3.ts')])
  if (status !== 0) process.exit(1)
}

/** Whether this very Node is the one that an earlier set-up left; a plain installation would remove it. */
function isOurs(path) {
  return path.startsWith(join(root, 'node_modules'))
}

function runsTypeScript(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 18)
}

/** Runs a command with the packages' commands first in the path; what it prints goes to standard error. */
function run(command, args, output = 2) {
  const path = `${bin}${delimiter}${process.env.PATH}`
  const shell = process.platform === 'win32'
  const env = { ...process.env, PATH: path }
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', output, output], shell, env })
}

/** As `run`, and ends everything when the command fails; what was piped is shown only then. */
function must(command, args, output) {
  const { status, error, stdout, stderr } = run(command, args, output)
  if (!error && status === 0) return
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  say(`"${command} ${args.join(' ')}" failed${error ? ` (${error.message})` : ''}`)
  say('check the connection to the npm registry, then run the same command again')
  process.exit(1)
}

function say(text) {
  process.stderr.write(`jandon: ${text}\n`)
}
