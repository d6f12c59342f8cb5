// A hub's books over a real chain and a real disk: the parts that follow, accept and compare, put together as the hub does.

import type { Address } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { hardhat } from 'viem/chains'
import { channelsDomainSeparator } from '#protocol/channel.ts'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { packBasket } from '#protocol/packed-tips.ts'
import { lowerCase } from '#protocol/signature.ts'
import { createEndpoints } from '../chain/endpoints.ts'
import type { FollowerDeps } from '../chain/follower.ts'
import { createFollower } from '../chain/follower.ts'
import { createReserves } from '../chain/reserves.ts'
import { createBaskets, receiptOf } from '../channels/baskets.ts'
import { loadChannels } from '../channels/registry.ts'
import { createSignatureBackend } from '../channels/signature-backend.ts'
import { createSignatureChecks } from '../channels/signature-checks.ts'
import { loadCreators } from '../creators/creators.ts'
import { loadVaultAccounts } from '../creators/vault-accounts.ts'
import { balanceOf } from '../ledger/entry.ts'
import type { Database } from '../store/table.ts'
import { loadStreamBook } from '../streams/stream-book.ts'
import type { StreamLimits } from '../streams/streams.ts'
import { createStreams } from '../streams/streams.ts'
import type { ChainFixture, FundedChannel } from './chain.ts'
import { signCreator, signTip } from './chain.ts'
import { openLog } from './disk.ts'

export const feeAccount: Address = `0x${'fe'.repeat(20)}`

export type Books = Awaited<ReturnType<typeof openBooks>>

/** Opens the books as they are on disk. Nothing follows the chain but `follower.tick`. */
export async function openBooks(
  chain: ChainFixture,
  db: Database,
  {
    confirmations = 0,
    depositDepths = [],
    reorgLimit = 64,
    endpoints = createEndpoints([{ name: 'chain', client: chain.client }], { now: Date.now }),
    onUndone = () => undefined,
    consequences = [],
    reversals = [],
    isHeldFor = () => false,
    now = Date.now,
    limits = { maxOpen: 100, maxTicksPerReveal: 64, idleMs: 60_000 },
  }: Partial<
    Pick<
      FollowerDeps,
      | 'confirmations'
      | 'depositDepths'
      | 'reorgLimit'
      | 'endpoints'
      | 'onUndone'
      | 'consequences'
      | 'reversals'
      | 'isHeldFor'
    >
  > & { now?: () => number; limits?: StreamLimits } = {},
) {
  const { deployment, client, token } = chain
  const { log, balances, lateRows } = await openLog(db)
  const channels = await loadChannels(db, lateRows)
  const vaultAccounts = await loadVaultAccounts(db)
  const hub = { chainId: hardhat.id, hubAccount: deployment.hubAccount }
  const creators = await loadCreators({ db, log, chain: client, hub })
  const terms = {
    contract: deployment.channels,
    receiver: deployment.vault,
    receiverAuthorizer: deployment.hubAccount,
    tokens: deployment.tokens.map(({ address }) => address),
    withdrawDelay: { minimum: 86_400, maximum: 2_592_000 },
  }
  const follower = createFollower({
    db,
    log,
    endpoints,
    deployment,
    channels,
    vaultAccounts,
    balances,
    terms,
    feeAccount,
    now: Date.now,
    confirmations,
    depositDepths,
    reorgLimit,
    isHeldFor,
    consequences,
    reversals,
    onUndone,
  })
  const reserves = createReserves({
    chain: client,
    deployment,
    channels,
    balances,
    block: follower.taken,
    hashOf: follower.hashOf,
  })
  const checks = createSignatureChecks({
    workers: 1,
    onFailure(cause) {
      throw cause
    },
  })
  const separatorOf = (address: Address) =>
    channelsDomainSeparator({ chainId: hardhat.id, address })
  const fees = { basisPoints: 100n, account: feeAccount }
  const assertOpen = () => reserves.assertEqual()
  const streamBook = await loadStreamBook({ db, lateRows, channels, at: now() })
  const baskets = createBaskets({
    db,
    log,
    balances,
    channels,
    streams: streamBook,
    creators,
    vaultAccounts,
    backend: createSignatureBackend(),
    checks,
    separatorOf,
    fees,
    now,
    maxInProgress: 1_000,
    assertOpen,
  })
  const streams = createStreams({
    log,
    channels,
    creators,
    baskets,
    book: streamBook,
    checks,
    separatorOf,
    fees,
    limits,
    now,
    assertOpen,
  })
  return {
    log,
    balances,
    channels,
    vaultAccounts,
    follower,
    reserves,
    baskets,
    streams,
    streamBook,
    checks,
    book: (account: string) => balanceOf(balances, account, token),
    /** Accepts a basket and answers with its receipt. */
    async accept(request: TipsRequest) {
      const { id, committed, channel } = await baskets.accept(packBasket(request))
      return { receipt: receiptOf(id, committed), channel }
    },
    /** A registered creator. */
    async newCreator(): Promise<{ key: PrivateKeyAccount; account: Address }> {
      const key = await chain.party()
      await creators.register(await signCreator(deployment, key))
      return { key, account: lowerCase(key.address) }
    },
    /** Tips on a channel, under a voucher for exactly what is charged then. */
    async tip(channel: FundedChannel, { to, amount }: { to: Address; amount: bigint }) {
      const { charged, held } = channels.amounts(channels.get(channel.id))
      const maximum = charged + held + amount
      return baskets.accept(packBasket(await signTip(channel, { to, amount, maximum })))
    },
  }
}
