/**
 * trimtab_prompt_tokens_total{model}              prompt tokens, cached ones included
 * trimtab_cached_prompt_tokens_total{model}       prompt tokens found in the prefix cache
 * trimtab_generation_tokens_total{model}          tokens generated, counted as they come
 * trimtab_request_prompt_tokens{model}            histogram per prompt
 * trimtab_request_generation_tokens{model}        histogram per request
 */

import { Counter, Histogram, type Registry } from 'prom-client';
import type { GenerateEvent } from '../../core/messages.js';

const buckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];
const labelNames = ['model'] as const;

export class TokenMetrics {
  private readonly prompt: Counter<'model'>;
  private readonly cached: Counter<'model'>;
  private readonly generated: Counter<'model'>;
  private readonly perPrompt: Histogram<'model'>;
  private readonly perGeneration: Histogram<'model'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.prompt = new Counter({
      name: 'trimtab_prompt_tokens_total',
      help: 'Prompt tokens, cached ones included.',
      labelNames,
      registers,
    });
    this.cached = new Counter({
      name: 'trimtab_cached_prompt_tokens_total',
      help: 'Prompt tokens found in the prefix cache.',
      labelNames,
      registers,
    });
    this.generated = new Counter({
      name: 'trimtab_generation_tokens_total',
      help: 'Tokens generated.',
      labelNames,
      registers,
    });
    this.perPrompt = new Histogram({
      name: 'trimtab_request_prompt_tokens',
      help: 'Prompt tokens per prompt.',
      labelNames,
      buckets,
      registers,
    });
    this.perGeneration = new Histogram({
      name: 'trimtab_request_generation_tokens',
      help: 'Tokens generated per prompt, over all choices.',
      labelNames,
      buckets,
      registers,
    });
  }

  observe(model: string, event: GenerateEvent): void {
    if (event.type === 'start') {
      this.prompt.inc({ model }, event.promptTokens);
      this.cached.inc({ model }, event.cachedTokens);
      this.perPrompt.observe({ model }, event.promptTokens);
    } else if (event.type === 'delta') {
      this.generated.inc({ model }, event.tokenCount);
    } else if (event.type === 'end') {
      this.perGeneration.observe({ model }, event.usage.completionTokens);
    }
  }
}
