// One run of a command: the client of the chosen wallet at the chosen hub, and where to speak.

import { HubError } from '#protocol/errors.ts'
import type { HubInfo, TokenInfo } from '#protocol/messages/hub.ts'
import { tokenOf } from '../context.ts'
import { createFileStore } from '../file-store.ts'
import type { Jandon } from '../jandon.ts'
import { createJandon } from '../jandon.ts'
import type { Settings } from './settings.ts'
import type { Terminal } from './terminal.ts'

export type Session = {
  readonly settings: Settings
  readonly terminal: Terminal
  readonly jandon: Jandon
}

export function createSession(settings: Settings, terminal: Terminal): Session {
  const { hubUrl, rpcUrl, hubKey, account, storeFolder } = settings
  const jandon = createJandon({
    hubUrl,
    account,
    rpcUrl,
    hubKey,
    store: createFileStore(storeFolder),
    onNotice: terminal.note,
  })
  return { settings, terminal, jandon }
}

/** The hub's description of itself and its first token, in which the command line reckons. */
export async function hubAndToken({
  jandon,
}: Session): Promise<{ info: HubInfo; token: TokenInfo }> {
  const info = await jandon.hub()
  return { info, token: tokenOf(info) }
}

/** This wallet's handle: the one given, the one registered from here, or the development wallet's name if it is its. */
export async function findHandle(
  { jandon, settings }: Session,
  given?: string,
): Promise<string | undefined> {
  if (given) return given
  const registered = await jandon.handle()
  if (registered || !settings.walletName) return registered
  try {
    const creator = await jandon.creator(settings.walletName)
    return creator.account === settings.account.address.toLowerCase() ? creator.handle : undefined
  } catch (error) {
    if (error instanceof HubError && error.code === 'unknown_handle') return undefined
    throw error
  }
}
