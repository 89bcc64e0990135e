/**
 * Limits on requests and tokens per minute, for each API key by itself. A request is let in while some of both
 * is left, and its tokens are taken when they are known, at its end.
 */

import { TrimtabError } from '../../core/errors.js';
import type { ServerConfig } from '../config.js';
import type { ServerContext, ServerMiddleware } from '../context.js';
import type { RequestRecord } from '../request-record.js';
import { TokenBucket } from '../token-bucket.js';

interface Budget {
  readonly requests: TokenBucket | undefined;
  readonly tokens: TokenBucket | undefined;
}

type Kind = keyof Budget;

export function rateLimit({ rateLimits }: ServerConfig): ServerMiddleware {
  const budgets = new Map<number, Budget>();
  const { requestsPerMinute, tokensPerMinute } = rateLimits;
  return async function rateLimit(c, next) {
    if (requestsPerMinute === undefined && tokensPerMinute === undefined) return next();
    const { record } = c.var;
    const budget = budgets.get(record.key) ?? newBudget(requestsPerMinute, tokensPerMinute);
    budgets.set(record.key, budget);
    try {
      refuseOverdrawn(budget, 'requests');
      refuseOverdrawn(budget, 'tokens');
      budget.requests?.take(1);
      await next();
    } finally {
      chargeTokens(budget, record);
      tell(c, budget);
    }
  };
}

function newBudget(requests: number | undefined, tokens: number | undefined): Budget {
  return {
    requests: requests === undefined ? undefined : new TokenBucket(requests),
    tokens: tokens === undefined ? undefined : new TokenBucket(tokens),
  };
}

function refuseOverdrawn(budget: Budget, kind: Kind): void {
  const bucket = budget[kind];
  if (bucket === undefined || bucket.level >= 1) return;
  const message = `The limit of ${bucket.perMinute} ${kind} per minute for this key is reached; retry later.`;
  throw new TrimtabError('rate_limit_exceeded', message, { retryAfterSeconds: bucket.msUntil(1) / 1000 });
}

/** A stream goes on after its headers are sent. */
function chargeTokens({ tokens }: Budget, record: RequestRecord): void {
  const charge = () => tokens?.take(record.promptTokens + record.completionTokens);
  if (record.streamed === undefined) charge();
  else void record.streamed.then(charge);
}

function tell(c: ServerContext, budget: Budget): void {
  for (const kind of ['requests', 'tokens'] as const) {
    const bucket = budget[kind];
    if (bucket === undefined) continue;
    c.header(`x-ratelimit-limit-${kind}`, String(bucket.perMinute));
    c.header(`x-ratelimit-remaining-${kind}`, String(Math.max(0, Math.floor(bucket.level))));
    c.header(`x-ratelimit-reset-${kind}`, duration(bucket.msUntil(bucket.perMinute)));
  }
}

/** As OpenAI writes them: `1s`, `6m0s`, `20ms`. */
function duration(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
