// Signature checks in worker threads, in batches. What a thread learns once, the public key behind an address, makes every
// later check of that signer cheaper.

import { Worker } from 'node:worker_threads'
import type { Address, Hex } from 'viem'
import type { Check } from './check-slots.ts'
import { isRight, keyIn, newSlots, slotsPerBatch, writeCheck } from './check-slots.ts'

export type SignatureChecks = {
  /**
   * Whether a signature (r and s canonical, v 27 or 28) over a digest is the signer's. Which of the two v it has does not
   * matter: it follows from the rest.
   */
  isBy(signer: Address, digest: Hex, signature: Hex): Promise<boolean>
  stop(): Promise<void>
}

/** How many signers' keys are kept; the one that was learned first is forgotten first. */
const keptKeys = 200_000

/** A worker fills its time with one batch while the answers of the other are read. */
const batchesPerWorker = 2

/** Fewer than this wait for a lane to come back, when there is one to wait for. */
const fewChecks = 32

/** After a batch of so many checks, the next waits so long for others, in milliseconds. Whoever comes alone never waits. */
const busyBatch = 8
const fillMs = 2

type Asked = Check & { answer: (isRight: boolean) => void }

type Lane = { send: (count: number) => void; slots: Uint8Array; asked: Asked[] }

export function createSignatureChecks({
  workers,
  onFailure,
}: {
  workers: number
  /** A thread ended that should not have. */
  onFailure: (cause: unknown) => void
}): SignatureChecks {
  const lanes = workers * batchesPerWorker
  const keys = new Map<Address, Uint8Array>()
  const idle: Lane[] = []
  let queue: Asked[] = []
  let isScheduled = false
  let lastBatch = 0
  let isStopping = false
  const threads = Array.from({ length: workers }, startThread)

  return {
    isBy(signer, digest, signature) {
      return new Promise((answer) => {
        queue.push({ signer, digest, signature, key: keys.get(signer), answer })
        schedule()
      })
    },
    async stop() {
      isStopping = true
      await Promise.all(threads.map((thread) => thread.terminate()))
    },
  }

  function startThread(): Worker {
    const batches = Array.from({ length: batchesPerWorker }, newSlots)
    const url = new URL('signature-worker.ts', import.meta.url)
    const thread = new Worker(url, { workerData: batches })
    const mine = batches.map(
      (slots, batch): Lane => ({
        slots: new Uint8Array(slots),
        asked: [],
        send: (count) => thread.postMessage({ batch, count }),
      }),
    )
    idle.push(...mine)
    thread.on('message', (batch: number) => {
      const lane = mine[batch]
      if (lane) readAnswers(lane)
    })
    thread.unref()
    thread.on('error', onFailure)
    thread.on('exit', (code) => {
      if (!isStopping) onFailure(new Error(`a signature worker ended with ${code}`))
    })
    return thread
  }

  function schedule() {
    if (isScheduled) return
    isScheduled = true
    if (lastBatch < busyBatch) setImmediate(dispatch)
    else setTimeout(dispatch, fillMs)
  }

  /**
   * Spreads what waits over the lanes that are free. While some are busy, few checks wait for them: a message between threads
   * costs more than most of what it would bring forward.
   */
  function dispatch() {
    isScheduled = false
    while (queue.length > 0) {
      if (idle.length < lanes && queue.length < fewChecks) return
      const lane = idle.shift()
      if (!lane) return
      const share = Math.ceil(queue.length / (idle.length + 1))
      const size = Math.min(slotsPerBatch, Math.max(fewChecks, share), queue.length)
      lastBatch = size
      lane.asked = queue.slice(0, size)
      queue = queue.slice(size)
      for (const [slot, check] of lane.asked.entries()) writeCheck(lane.slots, slot, check)
      lane.send(size)
    }
  }

  function readAnswers(lane: Lane) {
    for (const [slot, { key, signer, answer }] of lane.asked.entries()) {
      const right = isRight(lane.slots, slot)
      if (right && !key) learn(signer, keyIn(lane.slots, slot))
      answer(right)
    }
    idle.push(lane)
    if (queue.length > 0) schedule()
  }

  function learn(signer: Address, key: Uint8Array) {
    keys.set(signer, key)
    if (keys.size <= keptKeys) return
    for (const oldest of keys.keys()) {
      keys.delete(oldest)
      break
    }
  }
}
