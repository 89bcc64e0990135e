import type { ServerContext, ServerDependencies, ServerMiddleware } from '../context.js';

/** Routes that are polled; they are logged only when debugging. */
const quietRoutes: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

/** One log line and one metric observation per request, when its reply is over. */
export function accessLog(deps: ServerDependencies): ServerMiddleware {
  return async function accessLog(c, next) {
    const { requests } = deps.metrics;
    requests.inFlight.inc();
    await next();
    const status = c.res.status;
    const finish = () => {
      requests.inFlight.dec();
      conclude(deps, c, status);
    };
    if (c.var.record.streamed === undefined) finish();
    else void c.var.record.streamed.then(finish);
  };
}

function conclude(deps: ServerDependencies, c: ServerContext, sentStatus: number): void {
  const { record } = c.var;
  const status = record.errorCode === 'client_closed_request' ? 499 : sentStatus;
  deps.metrics.requests.observe(record, c.req.method, status);
  const line = {
    requestId: record.id,
    method: c.req.method,
    route: record.route,
    status,
    durationMs: round(record.elapsedMs),
    error: record.errorCode,
    ...(record.model !== undefined && generationFields(c)),
  };
  deps.logger[quietRoutes.has(record.route) ? 'debug' : 'info'](line, 'request');
}

function generationFields(c: ServerContext) {
  const { record } = c.var;
  return {
    model: record.model,
    stream: record.stream,
    promptTokens: record.promptTokens,
    cachedTokens: record.cachedTokens,
    completionTokens: record.completionTokens,
    finishReasons: record.finishReasons,
    firstTokenMs: round(record.firstTokenMs),
    queueMs: round(record.timings?.queueMs),
    prefillMs: round(record.timings?.prefillMs),
    decodeMs: round(record.timings?.decodeMs),
  };
}

function round(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10;
}
