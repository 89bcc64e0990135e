import { cors } from 'hono/cors';
import type { ServerConfig } from '../config.js';
import type { ServerMiddleware } from '../context.js';

/** Lets web pages of the configured origins call the API; by default none. Answers their preflight requests. */
export function crossOrigin(config: ServerConfig): ServerMiddleware {
  const origin = config.corsOrigins.includes('*') ? '*' : [...config.corsOrigins];
  const respond: ServerMiddleware = cors({
    origin,
    allowMethods: ['GET', 'HEAD', 'POST', 'OPTIONS'],
    exposeHeaders: [
      'x-request-id',
      'openai-processing-ms',
      'retry-after',
      'retry-after-ms',
      'x-should-retry',
      ...['limit', 'remaining', 'reset'].flatMap((what) =>
        ['requests', 'tokens'].map((kind) => `x-ratelimit-${what}-${kind}`),
      ),
    ],
    maxAge: 600,
  });
  return async function crossOrigin(c, next) {
    if (config.corsOrigins.length === 0) return next();
    return respond(c, next);
  };
}
