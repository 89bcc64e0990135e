/** Starts the thread of a model. */

import type { Worker } from 'node:worker_threads';
import { spawnThread } from '../spawn-thread.js';
import type { WorkerSetup } from '../worker/protocol.js';

export function spawnWorker(setup: WorkerSetup): Worker {
  return spawnThread(new URL('../worker/worker.js', import.meta.url), setup.model.id, setup);
}
