// Which rules (R…) and invariants (I…) of PROTOCOL.md no test names. Each must be shown by a test that says so in its title.

import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

const protocol = await readFile(`${root}PROTOCOL.md`, 'utf8')
const rules = [...protocol.matchAll(/^- \*\*([RI]\d+)\b/gm)].map(([, rule]) => rule ?? '')
const tests = globSync('{contracts,protocol,server,client,scripts,test}/**/*.test.ts', {
  cwd: root,
})
const texts = await Promise.all(tests.map((path) => readFile(root + path, 'utf8')))
const titles = texts.flatMap((text) =>
  [...text.matchAll(/\b(?:it|describe)\(\s*(['"`])(.*?)\1/gs)].map(([, , title]) => title ?? ''),
)
const named = new Set(titles.flatMap((title) => title.match(/\b[RI]\d+\b/g) ?? []))
const missing = rules.filter((rule) => !named.has(rule))
process.stdout.write(
  `${rules.length - missing.length} of ${rules.length} rules and invariants are named by ${titles.length} tests\n`,
)
if (missing.length > 0) {
  process.stdout.write(`not named by any test: ${missing.join(', ')}\n`)
  process.exitCode = 1
}
