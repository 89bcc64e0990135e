/** State of the engine at the time of a scrape, one series per model. */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { Backend, EngineStats } from '../../core/backend.js';

type StatName = Exclude<keyof EngineStats, 'model' | 'drafts'>;

const gauges: ReadonlyArray<readonly [name: string, stat: StatName, help: string]> = [
  ['trimtab_engine_requests_running', 'running', 'Requests that hold a lane.'],
  ['trimtab_engine_requests_waiting', 'waiting', 'Requests in the queue.'],
  ['trimtab_kv_cache_usage_ratio', 'kvCacheUsage', 'Used part of the KV cache budget, 0 to 1.'],
  ['trimtab_kv_cache_tokens', 'kvCacheTokensTotal', 'Tokens that the KV cache can hold.'],
  ['trimtab_prefix_cache_bytes', 'prefixCacheBytes', 'Bytes held by the prefix cache.'],
  ['trimtab_worker_memory_bytes', 'workerMemoryBytes', 'Memory of the engine worker.'],
];

const counters: typeof gauges = [
  ['trimtab_prefix_cache_queries_total', 'prefixCacheQueriesTotal', 'Prompt tokens looked up.'],
  ['trimtab_prefix_cache_hits_total', 'prefixCacheHitsTotal', 'Prompt tokens found.'],
  ['trimtab_engine_prefill_tokens_total', 'prefillTokensTotal', 'Tokens computed while reading prompts.'],
  ['trimtab_engine_decode_tokens_total', 'decodeTokensTotal', 'Tokens computed while generating.'],
  [
    'trimtab_engine_decode_steps_total',
    'decodeStepsTotal',
    'Decode steps; tokens per step is the batch size.',
  ],
  ['trimtab_engine_prefill_chunks_total', 'prefillChunksTotal', 'Prompt chunks computed.'],
  ['trimtab_engine_step_seconds_total', 'stepSecondsTotal', 'Time spent in steps.'],
  ['trimtab_engine_cancelled_total', 'cancelledTotal', 'Requests cancelled before their end.'],
  ['trimtab_engine_restarts_total', 'restartsTotal', 'Restarts of the engine worker.'],
];

export function registerEngineMetrics(registry: Registry, backend: Backend): void {
  for (const [name, stat, help] of gauges) {
    new Gauge({
      name,
      help,
      labelNames: ['model'],
      registers: [registry],
      collect() {
        this.reset();
        for (const stats of backend.stats()) this.set({ model: stats.model }, stats[stat]);
      },
    });
  }
  for (const [name, stat, help] of counters) {
    new Counter({
      name,
      help,
      labelNames: ['model'],
      registers: [registry],
      collect() {
        this.reset(); // the engine keeps the running total
        for (const stats of backend.stats()) this.inc({ model: stats.model }, stats[stat]);
      },
    });
  }
}
