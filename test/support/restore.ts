// Backups and restores of a hub under test, by the operator's own program.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { RestoreView, SyncRequest } from '#protocol/messages/restore.ts'
import { restoreView } from '#protocol/messages/restore.ts'
import type { TipsRequest } from '#protocol/messages/tips.ts'
import { tipsAnswer } from '#protocol/messages/tips.ts'
import type { Tip } from '#protocol/tip.ts'
import type { OpenChannel } from './channels.ts'
import { viewOf } from './channels.ts'
import type { Answer, Fields } from './http.ts'
import { assertAnswer } from './http.ts'
import type { HubFixture } from './hub.ts'
import { eventually } from './hub.ts'
import { randomHash, signBasket } from './paper.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What a program of the operator's said. */
export type Said = { code: number | null; json: Fields; stderr: string }

/** Runs `jandon …` for the operator of a hub, with --json. */
export function operate({ world }: HubFixture, ...args: string[]): Promise<Said> {
  return runScript('server/operator.ts', [...args, '--json'], {
    ...world.hubEnvironment,
    JANDON_HUB: world.hub.url,
  })
}

/** Whether chain, books and bank agree, asked by a process that shares nothing with the hub. */
export async function assertConserved({ world }: HubFixture) {
  const { json, stderr } = await runScript(
    'scripts/conserve.ts',
    [
      ...['--rpc', world.rpcUrl, '--deployment', join(world.folder, 'deployment.json')],
      ...['--hub', world.hub.url],
      ...['--treasury', world.hubEnvironment['JANDON_TREASURY'] ?? ''],
      ...(world.bank ? ['--bank', world.bank.url] : []),
    ],
    world.hubEnvironment,
  )
  const checks = (json['checks'] ?? []) as { holds: boolean }[]
  assert.equal(
    json['conserved'],
    true,
    stderr + JSON.stringify(checks.filter(({ holds }) => !holds)),
  )
}

/** Takes a backup of the running hub, and answers where it is. */
export async function backUp(hub: HubFixture, name = 'hub.backup'): Promise<string> {
  const file = join(hub.world.folder, name)
  const { code, json, stderr } = await operate(hub, 'backup', '--out', file)
  assert.equal(code, 0, stderr + JSON.stringify(json))
  return file
}

/** Kills the hub, loses its data, and starts it again on a backup. */
export async function loseAndRestore(
  hub: HubFixture,
  file: string,
  name = 'restored',
  settings: NodeJS.ProcessEnv = {},
) {
  const { world } = hub
  await world.hub.kill()
  const directory = join(world.folder, name)
  const { code, json, stderr } = await operate(hub, 'restore', file, '--data-dir', directory)
  assert.equal(code, 0, stderr + JSON.stringify(json))
  await world.restartHub({ JANDON_DATA_DIR: directory, ...settings })
}

/** The operator's account of the restore. */
export async function restoreStatus({ world, call }: HubFixture): Promise<RestoreView> {
  const answer = await call({ path: '/v1/restore', token: world.operatorToken })
  return restoreView.parse(assertAnswer(answer, 200))
}

/** Asks again while a settlement that policy has sent is not booked. */
export function reconcile({ world, call }: HubFixture, body: object = {}): Promise<Answer> {
  return eventually(
    () => call({ path: '/v1/restore/reconcile', token: world.operatorToken, body }),
    ({ text: said }) => !/is booked to block|are not booked yet/.test(said),
  )
}

/** Sends tips and keeps what proves them, as a client would. */
export async function tipAndKeep(
  hub: HubFixture,
  channel: OpenChannel,
  tips: readonly (Tip & { message?: { text: string; salt: Tip['ref'] } })[],
): Promise<SyncRequest> {
  const { amounts } = await viewOf(hub, channel)
  const total = tips.reduce((sum, { amount }) => sum + amount, 0n)
  const { channelId, ...basket } = await signBasket(hub, {
    channelId: channel.id,
    tips,
    maxClaimableAmount: amounts.charged + amounts.held + total,
    by: channel.authorizer,
  })
  const answer = await hub.call({ path: '/v1/tips', body: { channelId, ...basket } })
  return { receipt: tipsAnswer.parse(assertAnswer(answer, 200)).receipt, basket }
}

async function runScript(path: string, args: string[], env: NodeJS.ProcessEnv): Promise<Said> {
  const child = spawn(process.execPath, [join(root, path), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [[code], stdout, stderr] = await Promise.all([
    once(child, 'close') as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, json: stdout === '' ? {} : (JSON.parse(stdout) as Fields), stderr }
}

/** A request of the right shape for a basket of one tip, with a receipt that nobody signed. */
export function presentable({ channelId, ...basket }: TipsRequest): SyncRequest {
  const [tip] = basket.tips
  assert.ok(tip)
  const { to, ref, amount } = tip
  const hash = randomHash()
  const { signature } = basket
  const sums = { amount, fee: 0n, chargedAfter: amount, acceptedAfter: amount }
  const place = { salt: hash, epoch: hash, group: 1n, index: 0 }
  const ids = { channelId, basketId: hash, voucherSignature: signature, to, ref }
  const header = {
    epoch: hash,
    number: 1n,
    previous: hash,
    tipsRoot: hash,
    tipCount: 1,
    journalHash: hash,
    closedAt: 1n,
  }
  const tips = [{ leaf: { ...place, ...ids, ...sums }, path: [hash] }]
  return { receipt: { basketId: hash, header, headerSignature: signature, tips }, basket }
}
