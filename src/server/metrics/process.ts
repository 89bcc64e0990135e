/** `process_*` and `nodejs_*` under the names that every Node.js dashboard knows. */

import { collectDefaultMetrics, type Registry } from 'prom-client';

export function registerProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
}
