// What the signatures alone would allow: verifications per CPU-second of one thread that does nothing else, as a process of its
// own. Every signature is of another key, and keys are given as 65 bytes, so that the curve point is parsed in each call.

import { createHash } from 'node:crypto'
import secp256k1 from 'secp256k1'

const keys = 2_000
const cpuMicroseconds = 2_000_000

const cases = Array.from({ length: keys }, (_, number) => {
  const key = createHash('sha256').update(`key ${number}`).digest()
  const digest = createHash('sha256').update(`digest ${number}`).digest()
  const { signature } = secp256k1.ecdsaSign(digest, key)
  return { signature, digest, publicKey: secp256k1.publicKeyCreate(key, false) }
})

verifyAll()
const began = process.cpuUsage()
let verified = 0
let spent = 0
while (spent < cpuMicroseconds) {
  verifyAll()
  verified += cases.length
  const { user, system } = process.cpuUsage(began)
  spent = user + system
}
const perCpuSecond = Math.round((verified * 1_000_000) / spent)
process.stdout.write(`${JSON.stringify({ perCpuSecond })}\n`)

function verifyAll() {
  for (const { signature, digest, publicKey } of cases) {
    if (!secp256k1.ecdsaVerify(signature, digest, publicKey)) throw new Error('a signature failed')
  }
}
