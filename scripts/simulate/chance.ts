// Randomness that a seed repeats, in the shapes that the simulation needs, and fast: a year has millions of draws.

/** Draws of one stream. Streams of one seed under different names do not depend on each other. */
export type Chance = {
  /** From 0, included, to 1, excluded. */
  uniform(): number
  /** Of mean 0 and standard deviation 1. */
  normal(): number
  /** Of mean `mean`, from 0 on. */
  exponential(mean: number): number
  /** How many independent events happen where `mean` are expected. */
  poisson(mean: number): number
  /** From 0 to `limit` − 1. */
  below(limit: number): number
}

/** Above this mean, a count of independent events is drawn as a rounded normal. */
const manyEvents = 200

export function createChance(seed: number, name: string): Chance {
  const next = sfc32(seed, name)
  const uniform = () => next() / 2 ** 32

  const chance: Chance = {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    exponential: (mean) => -mean * Math.log(1 - uniform()),
    poisson(mean) {
      if (mean > manyEvents)
        return Math.max(0, Math.round(mean + Math.sqrt(mean) * chance.normal()))
      let count = 0
      for (let left = Math.exp(-mean), product = uniform(); product > left; product *= uniform())
        count += 1
      return count
    },
    below: (limit) => Math.floor(uniform() * limit),
  }
  return chance
}

/** Draws places by weight, each in one step (Vose's alias method). */
export function createPicker(weights: Float64Array): (chance: Chance) => number {
  const { length: count } = weights
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const shares = weights.map((weight) => (weight * count) / total)
  const alias = new Uint32Array(count)
  const small: number[] = []
  const large: number[] = []
  for (const [place, share] of shares.entries()) (share < 1 ? small : large).push(place)
  while (small.length > 0 && large.length > 0) {
    const [less = 0, more = 0] = [small.pop(), large.at(-1)]
    alias[less] = more
    const left = (shares[more] ?? 0) - 1 + (shares[less] ?? 0)
    shares[more] = left
    if (left < 1) small.push(large.pop() ?? 0)
  }
  for (const place of [...small, ...large]) shares[place] = 1
  return (chance) => {
    const place = chance.below(count)
    return chance.uniform() < (shares[place] ?? 1) ? place : (alias[place] ?? place)
  }
}

/** Chris Doty-Humphrey's small fast counter: 32 bits a step, of a period above 2^64. */
function sfc32(seed: number, name: string): () => number {
  let [a, b, c, counter] = [hashOf(name), seed >>> 0, Math.floor(seed / 2 ** 32), 1]
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return sum >>> 0
  }
  for (let warmUp = 0; warmUp < 15; warmUp += 1) next()
  return next
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return hash | 0
}
