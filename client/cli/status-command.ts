// How everything stands: the hub, this wallet, and what is not finished. What was left without an answer is asked again.

import type { PayoutView } from '#protocol/messages/payouts.ts'
import { tokenText } from './money.ts'
import type { Session } from './session.ts'
import { findHandle } from './session.ts'
import type { Report } from './terminal.ts'
import { short, table } from './terminal.ts'

const open: readonly PayoutView['state'][] = [
  'REQUESTED',
  'FUNDED',
  'QUEUED',
  'SUBMITTING',
  'SUBMITTED',
  'UNKNOWN',
]

export async function status(session: Session): Promise<Report> {
  const { jandon, settings, terminal } = session
  const found = await terminal.during('asking the hub', async (say) => {
    const info = await jandon.hub()
    if (await jandon.pending()) say('sending again what had no answer')
    const resumed = (await jandon.resume()) ?? null
    const handle = (await findHandle(session)) ?? null
    const channels = await jandon.balance()
    const payouts = handle === null ? [] : await jandon.payouts()
    return { info, resumed, handle, channels, payouts }
  })
  const { info, resumed, handle, channels } = found
  const unfinished = found.payouts.filter(({ state }) => open.includes(state))
  const rows = [
    ['hub', `${settings.hubUrl}, chain ${info.chainId}, group ${info.group}`],
    ['wallet', handle === null ? jandon.address : `${jandon.address}, @${handle}`],
    ...channels.map(({ channelId, status, unspent, token }) => [
      'channel',
      `${short(channelId)} ${status}, ${tokenText(unspent, token)} unspent`,
    ]),
    ...unfinished.map(({ payoutId, state, reason }) => [
      'payout',
      `${short(payoutId)} ${state}: ${reason}`,
    ]),
  ]
  if (resumed) rows.push(['accepted now', `${short(resumed.basketId)}, which had no answer`])
  if (channels.length === 0 && handle === null)
    rows.push(['channel', 'none; npx jandon open --deposit 5'])
  return {
    json: {
      hub: { url: settings.hubUrl, chainId: info.chainId, group: info.group },
      address: jandon.address,
      handle,
      channels,
      payouts: unfinished,
      resumed,
    },
    lines: table(rows),
  }
}
