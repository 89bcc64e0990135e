/** Starts a thread, from dist/ or, in development and in tests, from the TypeScript sources. */

import { Worker } from 'node:worker_threads';

/** `entry` is the URL of the module with the ending `.js`, wherever the caller runs. */
export function spawnThread(entry: URL, name: string, workerData: unknown): Worker {
  const options = { name, workerData };
  if (!import.meta.url.endsWith('.ts')) return new Worker(entry, options);
  return new Worker(bootFromSource(entry.href.replace(/\.js$/, '.ts')), { ...options, eval: true });
}

/** Node 20 does not apply `--import tsx` to the entry of a worker, so the entry registers tsx by itself. */
function bootFromSource(entry: string): string {
  const tsx = import.meta.resolve('tsx/esm/api');
  return `import('${tsx}').then(({ register }) => { register(); return import('${entry}'); });`;
}
