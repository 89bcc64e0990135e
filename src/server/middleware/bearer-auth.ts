import { createHash, timingSafeEqual } from 'node:crypto';
import { TrimtabError } from '../../core/errors.js';
import type { ServerConfig } from '../config.js';
import type { ServerContext, ServerMiddleware } from '../context.js';

/**
 * Asks for one of the configured keys, as `Authorization: Bearer` or `x-api-key`, on every path but those of
 * health checks. Without configured keys everybody may pass.
 */
export function bearerAuth(config: ServerConfig): ServerMiddleware {
  const keys = config.apiKeys.map(digest);
  const publicPaths = new Set(['/health', '/ready', ...(config.publicMetrics ? ['/metrics'] : [])]);
  return async function bearerAuth(c, next) {
    if (keys.length > 0 && !publicPaths.has(c.req.path)) c.var.record.key = requireKey(c, keys);
    await next();
  };
}

/** Returns which of the keys it is. */
function requireKey(c: ServerContext, keys: readonly Buffer[]): number {
  const given = presentedKey(c);
  if (given === undefined) {
    throw new TrimtabError('invalid_api_key', 'An API key is needed: Authorization: Bearer <key>.');
  }
  const hash = digest(given);
  // Every key is compared, in constant time, so that the time taken tells nothing about them.
  const matches = keys.map((key) => timingSafeEqual(key, hash));
  if (!matches.includes(true)) throw new TrimtabError('invalid_api_key', 'The API key is not known here.');
  c.var.record.tenant = hash.toString('base64url');
  return matches.indexOf(true);
}

function presentedKey(c: ServerContext): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '');
  return bearer?.[1] ?? c.req.header('x-api-key');
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
