/** Starts the thread of a model, from dist/ or, in development and in tests, from the TypeScript sources. */

import { Worker } from 'node:worker_threads';
import type { WorkerSetup } from '../worker/protocol.js';

export function spawnWorker(setup: WorkerSetup): Worker {
  const options = { name: setup.model.id, workerData: setup };
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('../worker/worker.js', import.meta.url), options);
  }
  return new Worker(bootFromSource(new URL('../worker/worker.ts', import.meta.url)), {
    ...options,
    eval: true,
  });
}

/** Node 20 does not apply `--import tsx` to the entry of a worker, so the entry registers tsx by itself. */
function bootFromSource(entry: URL): string {
  const tsx = import.meta.resolve('tsx/esm/api');
  return `import('${tsx}').then(({ register }) => { register(); return import('${entry}'); });`;
}
