// Who can be tipped: handles, each registered by a signature of the address that is paid.

import type { Address, Hex, PublicClient } from 'viem'
import { creatorDomain, creatorTypes, handlePattern } from '#protocol/creator.ts'
import { HubError } from '#protocol/errors.ts'
import type { CreatorView } from '#protocol/messages/hub.ts'
import { lowerCase } from '#protocol/signature.ts'
import { isSignedTypedData } from '../chain/wallet-signature.ts'
import type { GroupLog } from '../store/group-log.ts'
import type { Database } from '../store/table.ts'
import { table } from '../store/table.ts'

const creatorRows = table<CreatorView>('creator')

/** Handles that would pass for the hub itself. */
const reservedHandles = new Set(['admin', 'hub', 'jandon', 'operator', 'support', 'v1'])

export type Creators = {
  /** @throws HubError `unknown_handle` */
  byHandle(handle: string): CreatorView
  byAccount(account: Address): CreatorView | undefined
  all(): Iterable<CreatorView>
  /** Registers a creator; the same registration again is the same answer. */
  register(creator: CreatorView & { signature: Hex }): Promise<CreatorView>
}

export async function loadCreators({
  db,
  log,
  chain,
  hub,
}: {
  db: Database
  log: GroupLog
  chain: Pick<PublicClient, 'verifyMessage' | 'verifyTypedData'>
  hub: { chainId: number; hubAccount: Address }
}): Promise<Creators> {
  const handles = new Map<string, CreatorView>()
  const accounts = new Map<Address, CreatorView>()
  const unwritten = new Map<string, Promise<unknown>>()
  for (const { value } of await creatorRows.list(db)) remember(value)

  return {
    byHandle(handle) {
      const creator = handles.get(handle)
      if (!creator)
        throw new HubError('unknown_handle', `nobody here is called @${handle}`, {
          values: { handle },
        })
      return creator
    },
    byAccount: (account) => accounts.get(account),
    all: () => accounts.values(),
    async register({ signature, ...creator }) {
      assertHandle(creator.handle)
      if (isSame(handles.get(creator.handle), creator)) return stored(creator)
      assertFree(creator)
      await assertSigned(creator, signature)
      if (isSame(handles.get(creator.handle), creator)) return stored(creator)
      assertFree(creator)
      remember(creator)
      const writing = log.commit({ rows: [creatorRows.put(creator.handle, creator)] })
      unwritten.set(creator.handle, writing)
      await writing.finally(() => unwritten.delete(creator.handle))
      return creator
    },
  }

  /** A creator who is known already, as soon as that is on disk (R5). */
  async function stored(creator: CreatorView): Promise<CreatorView> {
    await unwritten.get(creator.handle)
    return creator
  }

  function remember(creator: CreatorView) {
    handles.set(creator.handle, creator)
    accounts.set(lowerCase(creator.account), creator)
  }

  function assertFree({ handle, account }: CreatorView) {
    if (handles.has(handle)) {
      throw new HubError('handle_taken', `@${handle} is registered with another address or name`, {
        values: { handle },
      })
    }
    const other = accounts.get(account)
    if (other) {
      throw new HubError('account_registered', `${account} is @${other.handle}`, {
        values: { account, handle: other.handle },
      })
    }
  }

  async function assertSigned(creator: CreatorView, signature: Hex) {
    const valid = await isSignedTypedData(chain, {
      address: creator.account,
      domain: creatorDomain(hub),
      types: creatorTypes,
      primaryType: 'Creator',
      message: creator,
      signature,
    })
    if (!valid) {
      throw new HubError(
        'bad_signature',
        `the registration of @${creator.handle} is not signed by ${creator.account}`,
      )
    }
  }
}

function assertHandle(handle: string) {
  const rule = 'a handle is 2 to 30 of a-z, 0-9, _ and -, beginning with a letter or digit'
  if (!handlePattern.test(handle))
    throw new HubError('invalid_request', `"${handle}": ${rule}`, { values: { issues: [rule] } })
  if (reservedHandles.has(handle))
    throw new HubError('handle_taken', `@${handle} is reserved`, { values: { handle } })
}

function isSame(
  known: CreatorView | undefined,
  { handle, account, displayName }: CreatorView,
): boolean {
  return known?.handle === handle && known.account === account && known.displayName === displayName
}
