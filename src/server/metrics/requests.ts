/**
 * trimtab_http_requests_total{route,method,status}   replies; 499 is a client that went away
 * trimtab_http_requests_in_flight                    requests that are not answered in full
 * trimtab_errors_total{route,code}                   failures by stable error code
 * trimtab_choices_total{model,finish_reason}         finished choices
 */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { RequestRecord } from '../request-record.js';

export class RequestMetrics {
  readonly inFlight: Gauge;
  private readonly replies: Counter<'route' | 'method' | 'status'>;
  private readonly errors: Counter<'route' | 'code'>;
  private readonly choices: Counter<'model' | 'finish_reason'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.inFlight = new Gauge({
      name: 'trimtab_http_requests_in_flight',
      help: 'Requests that are not answered in full.',
      registers,
    });
    this.replies = new Counter({
      name: 'trimtab_http_requests_total',
      help: 'Replies by route, method and status.',
      labelNames: ['route', 'method', 'status'],
      registers,
    });
    this.errors = new Counter({
      name: 'trimtab_errors_total',
      help: 'Failed requests by route and error code.',
      labelNames: ['route', 'code'],
      registers,
    });
    this.choices = new Counter({
      name: 'trimtab_choices_total',
      help: 'Finished choices by model and finish reason.',
      labelNames: ['model', 'finish_reason'],
      registers,
    });
  }

  observe(record: RequestRecord, method: string, status: number): void {
    this.replies.inc({ route: record.route, method, status });
    if (record.errorCode !== undefined) this.errors.inc({ route: record.route, code: record.errorCode });
    for (const reason of record.finishReasons) {
      this.choices.inc({ model: record.model ?? '', finish_reason: reason });
    }
  }
}
