/**
 * trimtab_event_loop_delay_seconds{quantile="p50"|"p99"|"max"}: how late timers of the HTTP thread fired since
 * the last scrape. The engine runs in its own thread, so this stays small under full load.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';

const resolutionMs = 10;

/** @returns a function that ends the monitoring */
export function registerEventLoopMetrics(registry: Registry): () => void {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  /** The histogram holds whole timer intervals in nanoseconds; what exceeds the interval is delay. */
  const seconds = (nanoseconds: number) => Math.max(0, (nanoseconds - resolutionMs * 1e6) / 1e9);
  new Gauge({
    name: 'trimtab_event_loop_delay_seconds',
    help: 'How late timers of the HTTP thread fired since the last scrape.',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      this.set({ quantile: 'p50' }, seconds(delay.percentile(50)));
      this.set({ quantile: 'p99' }, seconds(delay.percentile(99)));
      this.set({ quantile: 'max' }, seconds(delay.max));
      delay.reset();
    },
  });
  return () => {
    delay.disable();
  };
}
