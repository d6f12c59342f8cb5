// The parts that bring a restored hub back: what is presented again, the account of what is missing, and the reconciliation.

import { loadLostTime } from './lost-time.ts'
import type { Reconciliation, ReconciliationDeps } from './reconciliation.ts'
import { loadReconciliation } from './reconciliation.ts'
import type { Sync, SyncDeps } from './sync.ts'
import { createSync } from './sync.ts'

export type Recovery = Reconciliation & Sync

export async function openRecovery(
  deps: Omit<ReconciliationDeps & SyncDeps, 'lostTime'>,
): Promise<Recovery> {
  const lostTime = await loadLostTime(deps)
  const reconciliation = await loadReconciliation({ ...deps, lostTime })
  return { ...reconciliation, ...createSync({ ...deps, lostTime }) }
}
