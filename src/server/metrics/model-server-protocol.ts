/**
 * The names by which inference gateways route to a model server (Gateway API Inference Extension, "model
 * server protocol", which adopted vLLM's): queue, running requests, cache use, cache layout, adapters.
 */

import { Gauge, type Registry } from 'prom-client';
import type { Backend, EngineStats } from '../../core/backend.js';

const gauges: ReadonlyArray<
  readonly [name: string, stat: 'waiting' | 'running' | 'kvCacheUsage', help: string]
> = [
  ['vllm:num_requests_waiting', 'waiting', 'Requests in the queue.'],
  ['vllm:num_requests_running', 'running', 'Requests that hold a lane.'],
  ['vllm:kv_cache_usage_perc', 'kvCacheUsage', 'Used part of the KV cache budget, 0 to 1.'],
];

export function registerModelServerProtocol(registry: Registry, backend: Backend): void {
  for (const [name, stat, help] of gauges) {
    new Gauge({
      name,
      help,
      labelNames: ['model_name'],
      registers: [registry],
      collect() {
        this.reset();
        for (const stats of backend.stats()) this.set({ model_name: stats.model }, stats[stat]);
      },
    });
  }
  registerCacheConfig(registry, backend);
  registerLoraInfo(registry);
}

function registerCacheConfig(registry: Registry, backend: Backend): void {
  new Gauge({
    name: 'vllm:cache_config_info',
    help: 'Layout of the KV cache.',
    labelNames: ['model_name', 'block_size', 'num_gpu_blocks'],
    registers: [registry],
    collect() {
      this.reset();
      for (const stats of backend.stats()) this.set(cacheLabels(stats), 1);
    },
  });
}

function cacheLabels(stats: EngineStats): Record<'model_name' | 'block_size' | 'num_gpu_blocks', string> {
  const blocks = Math.floor(stats.kvCacheTokensTotal / Math.max(1, stats.kvBlockSize));
  return { model_name: stats.model, block_size: String(stats.kvBlockSize), num_gpu_blocks: String(blocks) };
}

/** The value is the time of the last change, in Unix seconds; no adapters are served here. */
function registerLoraInfo(registry: Registry): void {
  new Gauge({
    name: 'vllm:lora_requests_info',
    help: 'Adapters in use.',
    labelNames: ['max_lora', 'running_lora_adapters', 'waiting_lora_adapters'],
    registers: [registry],
  }).set(
    { max_lora: '0', running_lora_adapters: '', waiting_lora_adapters: '' },
    Math.floor(Date.now() / 1000),
  );
}
