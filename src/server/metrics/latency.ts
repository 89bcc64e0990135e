/**
 * trimtab_time_to_first_token_seconds{model}      from the arrival of the request
 * trimtab_inter_token_latency_seconds{model}      between tokens of one choice
 * trimtab_e2e_request_latency_seconds{model}      from arrival to the last token
 * trimtab_request_queue_time_seconds{model}       waiting for a lane
 * trimtab_request_prefill_time_seconds{model}
 * trimtab_request_decode_time_seconds{model}
 *
 * Bucket bounds follow vLLM's, so that its dashboards work on these names.
 */

import { Histogram, type Registry } from 'prom-client';
import type { GenerateEvent, Timings } from '../../core/messages.js';

const firstTokenBuckets = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
  2560,
];
const interTokenBuckets = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];
const requestBuckets = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];

export class LatencyMetrics {
  readonly firstToken: Histogram<'model'>;
  readonly interToken: Histogram<'model'>;
  readonly endToEnd: Histogram<'model'>;
  private readonly queue: Histogram<'model'>;
  private readonly prefill: Histogram<'model'>;
  private readonly decode: Histogram<'model'>;

  constructor(registry: Registry) {
    const histogram = (name: string, help: string, buckets: number[]): Histogram<'model'> =>
      new Histogram({ name, help, buckets, labelNames: ['model'], registers: [registry] });
    this.firstToken = histogram(
      'trimtab_time_to_first_token_seconds',
      'From the arrival of a request to its first token.',
      firstTokenBuckets,
    );
    this.interToken = histogram(
      'trimtab_inter_token_latency_seconds',
      'Between two tokens of one choice.',
      interTokenBuckets,
    );
    this.endToEnd = histogram(
      'trimtab_e2e_request_latency_seconds',
      'From the arrival of a request to its last token.',
      requestBuckets,
    );
    this.queue = histogram('trimtab_request_queue_time_seconds', 'Waiting for a lane.', requestBuckets);
    this.prefill = histogram('trimtab_request_prefill_time_seconds', 'Reading the prompt.', requestBuckets);
    this.decode = histogram('trimtab_request_decode_time_seconds', 'Generating.', requestBuckets);
  }

  observeTimings(model: string, timings: Timings): void {
    this.queue.observe({ model }, timings.queueMs / 1000);
    this.prefill.observe({ model }, timings.prefillMs / 1000);
    this.decode.observe({ model }, timings.decodeMs / 1000);
  }

  /** @returns an observer of the events of one request that arrived `elapsedMs()` ago */
  observer(model: string, elapsedMs: () => number): (event: GenerateEvent) => void {
    const lastTokenMs = new Map<number, number>();
    let hasToken = false;
    return (event) => {
      if (event.type === 'end') {
        this.observeTimings(model, event.timings);
        this.endToEnd.observe({ model }, elapsedMs() / 1000);
      }
      if (event.type !== 'delta' || event.tokenCount === 0) return;
      const now = elapsedMs();
      if (!hasToken) this.firstToken.observe({ model }, now / 1000);
      hasToken = true;
      const last = lastTokenMs.get(event.choice);
      if (last !== undefined) this.interToken.observe({ model }, (now - last) / 1000 / event.tokenCount);
      lastTokenMs.set(event.choice, now);
    };
  }
}
