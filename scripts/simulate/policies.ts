// The policies that are compared, each as an operator would set it: what is not named is as `server/config.ts` has it.

export type NamedPolicy = {
  name: string
  /** What it stands for. */
  idea: string
  /** Settings of the hub. `JANDON_ETHER_PRICE` is set for all of those that look at it. */
  settings: NodeJS.ProcessEnv
  looksAtPrice: boolean
}

const hours = (count: number) => String(count * 3_600_000)

/** The first is the one that docs/settlement.md recommends, which is what a hub does when nothing is set. */
export const policies: readonly NamedPolicy[] = [
  {
    name: 'default',
    idea: 'what is worth its gas at once, the rest within a week',
    settings: {},
    looksAtPrice: true,
  },
  {
    name: 'prompt',
    idea: 'little waits, whatever gas costs',
    settings: {
      JANDON_CLAIM_AT_RISK: '100',
      JANDON_CLAIM_MAX_AGE_MS: hours(1),
      JANDON_CREDIT_AT: '1',
      JANDON_CREDIT_MAX_AGE_MS: hours(24),
    },
    looksAtPrice: false,
  },
  {
    name: 'daily',
    idea: 'everything once a day, whatever it is worth',
    settings: {
      JANDON_CLAIM_MAX_AGE_MS: hours(24),
    },
    looksAtPrice: false,
  },
]

/** The settings of a policy where an ether is worth so much. */
export function settingsOf(
  { settings, looksAtPrice }: NamedPolicy,
  { ether }: { ether: number },
): NodeJS.ProcessEnv {
  return { ...settings, JANDON_ETHER_PRICE: looksAtPrice ? String(ether) : '0' }
}
