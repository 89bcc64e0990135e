/** Starts the thread of a model, from TypeScript sources during development and from dist/ otherwise. */

import { Worker } from 'node:worker_threads';
import type { WorkerSetup } from '../worker/protocol.js';

const fromSource = import.meta.url.endsWith('.ts');

export function spawnWorker(setup: WorkerSetup): Worker {
  const entry = new URL(`../worker/worker.${fromSource ? 'ts' : 'js'}`, import.meta.url);
  return new Worker(entry, {
    name: setup.model.id,
    workerData: setup,
    execArgv: fromSource ? ['--import', 'tsx'] : [],
  });
}
