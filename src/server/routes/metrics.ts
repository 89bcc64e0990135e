import type { ServerDependencies, ServerHandler } from '../context.js';

/** `GET /metrics`, in the text format of Prometheus */
export function metrics({ metrics: { registry } }: ServerDependencies): ServerHandler {
  return async (c) => c.text(await registry.metrics(), 200, { 'content-type': registry.contentType });
}
