// Brings node_modules into the state that the other scripts need, on any Node from 20.19 on, and does nothing when nothing
// changed. It is plain JavaScript because it runs before a Node that can strip types is known to be there.
//
// Hardhat 3 needs Node >= 22.13 and Node runs TypeScript as it is from 22.18. On an older Node, npm would also leave out
// Hardhat's native part. So there the installation itself runs under a newer Node from npm, which stays in
// node_modules/.bin, where npm's scripts find it before the old one.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = `${root}node_modules/.jandon-setup`
const newerNode = 'node@24'

const wanted = fingerprint()
if (readStamp() !== wanted) {
  install()
  writeFileSync(stamp, wanted)
}

/** What node_modules was made from: the manifest, the lock, and the platform of native parts. */
function fingerprint() {
  const hash = createHash('sha256')
  for (const name of ['package.json', 'package-lock.json']) hash.update(readFileSync(root + name))
  return hash.update(`${process.platform} ${process.arch}`).digest('hex')
}

function readStamp() {
  return existsSync(stamp) ? readFileSync(stamp, 'utf8') : ''
}

function install() {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  process.stderr.write('jandon: installing packages (once; about a minute) …\n')
  if (runsTypeScript(process.versions.node)) run('npm', ['install', '--no-save', ...quiet])
  else {
    const inner = ['npm', 'install', '--no-save', ...quiet, newerNode]
    run('npx', ['--yes', `--package=${newerNode}`, '--', ...inner])
  }
}

function runsTypeScript(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 18)
}

function run(command, args) {
  const shell = process.platform === 'win32'
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell })
  if (error || status !== 0) {
    process.stderr.write(
      `jandon: "${command} ${args.join(' ')}" failed${error ? ` (${error.message})` : ''}.\n` +
        'Check the connection to the npm registry, then run the same command again.\n',
    )
    process.exit(1)
  }
}
