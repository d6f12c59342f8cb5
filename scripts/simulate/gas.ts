// What a settlement of so many rows costs in gas, from the figures in gas-snapshot.json, so that the simulation follows when they
// change.

import { readFileSync } from 'node:fs'

/** Gas of the parts of a settlement. */
export type GasOf = {
  /** The transaction, and the call that claims. */
  base: number
  claim: number
  /** Settling, which a credit begins with. */
  settle: number
  knownCredit: number
  newCredit: number
}

/** What every transaction pays (EIP-2028); the figures of `settle` and of credits are whole transactions. */
const transactionGas = 21_000
const creditsMeasured = 300

export function readGas(): GasOf {
  const text = readFileSync(new URL('../../gas-snapshot.json', import.meta.url), 'utf8')
  const { gas } = JSON.parse(text) as { gas: { [figure: string]: number } }
  const figure = (name: string) => {
    const found = gas[name]
    if (found === undefined) throw new Error(`gas-snapshot.json has no ${name}`)
    return found
  }
  const [of10, of100] = [figure('claimPacked.perChannel.10'), figure('claimPacked.perChannel.100')]
  const claim = (100 * of100 - 10 * of10) / 90
  const settle = figure('settle')
  return {
    base: 10 * of10 - 10 * claim,
    claim,
    settle: settle - transactionGas,
    knownCredit: figure('vault.credit.known.300') - settle / creditsMeasured,
    newCredit: figure('vault.credit.new.300') - settle / creditsMeasured,
  }
}

/** Gas of one settlement, rounded up. */
export function gasOfSettlement(
  gas: GasOf,
  rows: { claims: number; knownCredits: number; newCredits: number },
): bigint {
  const { claims, knownCredits, newCredits } = rows
  const credits = knownCredits * gas.knownCredit + newCredits * gas.newCredit
  const settling = knownCredits + newCredits > 0 ? gas.settle : 0
  return BigInt(Math.ceil(gas.base + claims * gas.claim + settling + credits))
}
