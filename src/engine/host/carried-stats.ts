/** Counters of a model over all the workers that it has had: a restart must not make them fall. */

import type { WorkerStats } from '../worker/protocol.js';

const COUNTERS = [
  'prefixCacheQueriesTotal',
  'prefixCacheHitsTotal',
  'prefillTokensTotal',
  'decodeTokensTotal',
  'decodeStepsTotal',
  'prefillChunksTotal',
  'stepSecondsTotal',
  'cancelledTotal',
] as const satisfies readonly (keyof WorkerStats)[];

const GAUGES_AT_REST = { running: 0, waiting: 0, kvCacheUsage: 0, prefixCacheBytes: 0, workerMemoryBytes: 0 };

const NOTHING: WorkerStats = {
  ...GAUGES_AT_REST,
  kvCacheTokensTotal: 0,
  kvBlockSize: 0,
  ...(Object.fromEntries(COUNTERS.map((name) => [name, 0])) as Record<(typeof COUNTERS)[number], number>),
};

export class CarriedStats {
  #past = NOTHING;
  #latest = NOTHING;

  get total(): WorkerStats {
    const sums = COUNTERS.map((name) => [name, this.#past[name] + this.#latest[name]]);
    return { ...this.#latest, ...Object.fromEntries(sums) };
  }

  update(stats: WorkerStats): void {
    this.#latest = stats;
  }

  workerEnded(): void {
    this.#past = this.total;
    this.#latest = { ...this.#latest, ...GAUGES_AT_REST, ...pick(NOTHING) };
  }
}

function pick(stats: WorkerStats) {
  return Object.fromEntries(COUNTERS.map((name) => [name, stats[name]]));
}
