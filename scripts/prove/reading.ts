// Makes a contract readable for the SMTChecker without changing what it does to amounts. The checker forgets every mapping
// when a storage pointer is written through, does not take `revert Error(…)` for an end, and cannot encode ABI hashes; what
// a step needs must be visible to it. So each of these is written as something that it understands, by rules that hold for
// any source; where a rule does not fit, the compiler or the checker refuses.

/** A contract of which each function can be a step, or part of one. */
export function readable(source: string): string {
  return [
    withoutProse,
    withPointersWrittenOut,
    withSingleAssignments,
    withPlainReverts,
    withUnknownHashes,
    withoutCallsOut,
    withCallableFunctions,
  ].reduce((text, rule) => rule(text), source)
}

/** The types of an interface, in a contract to inherit from; functions are declared where they are written. */
export function typesOf(source: string): string {
  return withoutProse(source)
    .replace(/\n *function [^;]*;/g, '')
    .replace(/\n *event [^;]*;/g, '')
    .replace(/\binterface (?=I\w+)/, 'abstract contract ')
}

function withoutProse(source: string): string {
  return source.replace(/^ *\/\/\/.*\n/gm, '').replace(/\bemit [^;]*;/g, '{}')
}

/** `T storage p = m[k];` goes, and `p` becomes `m[k]`; a parameter becomes a copy. */
function withPointersWrittenOut(source: string): string {
  const declared = /\n *[\w.]+ storage (\w+) = ([^;]+);/.exec(source)
  if (!declared) return withParametersCopied(source)
  const [statement, name = '', place = ''] = declared
  const start = declared.index + statement.length
  const end = blockEnd(source, start)
  const rest = source.slice(start, end)
  const moved = place.match(/(?<=\[)\w+/g)?.find((key) => isWritten(key, rest))
  if (moved) throw new Error(`${name} points to ${place}, but ${moved} is written afterwards`)
  const written = rest.replace(new RegExp(`(?<![\\w.])${name}\\b`, 'g'), place)
  return withPointersWrittenOut(source.slice(0, declared.index) + written + source.slice(end))
}

/** A copy is as good as the storage only to read from. */
function withParametersCopied(source: string): string {
  return source.replace(/(\w+) storage (\w+)(?=[,)\n])/g, (_, type: string, name: string) => {
    if (isWritten(`${name}\\.\\w+`, source)) throw new Error(`${name} is written as a parameter`)
    return `${type} memory ${name}`
  })
}

function isWritten(pattern: string, source: string): boolean {
  const left = `(?<![\\w.])${pattern}`
  return new RegExp(`${left} *([-+*/%|&^]|<<|>>)?=(?!=)|(delete |\\+\\+|--)${left}`).test(source)
}

/** Where the block that `start` is in is closed. */
function blockEnd(source: string, start: number): number {
  let depth = 0
  for (let at = start; at < source.length; at += 1) {
    if (source[at] === '{') depth += 1
    if (source[at] === '}') depth -= 1
    if (depth < 0) return at
  }
  throw new Error('a block is not closed')
}

/** `(m.a, m.b) = (x, y);` with local x and y becomes two assignments. */
function withSingleAssignments(source: string): string {
  return source.replace(
    /\n( *)\(([^(),]+), ([^(),]+)\) = \((\w+), (\w+)\);/g,
    '\n$1$2 = $4;\n$1$3 = $5;',
  )
}

function withPlainReverts(source: string): string {
  return source.replace(/\brevert [\w.]+\([^;]*\);/g, 'require(false);')
}

/** What is hashed may hash to anything, the same thing twice to different things too. */
function withUnknownHashes(source: string): string {
  const hash = /\bkeccak256\(\s*abi\.encode(Packed)?\(/.exec(source)
  if (!hash) return source
  const end = callEnd(source, hash.index)
  return withUnknownHashes(`${source.slice(0, hash.index)}UNKNOWN.word()${source.slice(end)}`)
}

/** Others answer anything, and what they call back is a step of its own. What else is called out is left, and refused. */
function withoutCallsOut(source: string): string {
  return source
    .replace(/\bIERC20\(\w+\)\.balanceOf\(address\(this\)\)/g, 'UNKNOWN.number()')
    .replace(
      /\bIPaymentChannels\(target\)\.receivers\([^;]*\);/g,
      '(UNKNOWN.amount(), UNKNOWN.amount());',
    )
    .replace(
      /\b(IPaymentChannels\(target\)\.settle|IDepositCollector\(\w+\)\.collect)\([^;]*\);/g,
      '{}',
    )
    .replace(/\w+\[\w+\]\.raise\(/g, 'PackedCredits.raise(')
}

/** Where the call at `start` has its closing bracket behind it. */
function callEnd(source: string, start: number): number {
  let depth = 0
  for (let at = source.indexOf('(', start); at < source.length; at += 1) {
    if (source[at] === '(') depth += 1
    if (source[at] === ')') depth -= 1
    if (depth === 0) return at + 1
  }
  throw new Error('a call is not closed')
}

/** Steps are written in a contract that inherits this one, so that every function must be in its reach. */
function withCallableFunctions(source: string): string {
  return source
    .replace(/\n(?=import )/, '\nimport {UNKNOWN} from "scripts/prove/unknown/Unknown.sol";\n')
    .replace(/\b(external|private)\b(?! constant)/g, 'internal')
    .replace(/\bpublic\b(?! constant)(?=[^;]*\{)/g, 'internal')
    .replace(/(?<=\bfunction [^{]*)\bpure\b/g, 'view')
    .replace(/(?<!function )_available\(([^()]*)\)/g, '($1.balance - $1.totalClaimed)')
}
