/** Trying again what failed by chance, with growing pauses. */

import { setTimeout as sleep } from 'node:timers/promises';
import { TrimtabError } from '../core/errors.js';

/** A failure that may pass: a dropped connection, a busy server. */
export class TransientError extends Error {
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { cause?: unknown; retryAfterMs?: number | undefined } = {}) {
    super(message, { cause: options.cause });
    this.name = 'TransientError';
    this.retryAfterMs = options.retryAfterMs;
  }
}

export interface RetryOptions {
  readonly retryDelayMs: number;
  readonly signal: AbortSignal;
  /** For the error message, once patience ends. */
  readonly what: string;
  /** Grows while the work gets on; attempts that got further do not count against the limit. */
  readonly progress?: () => number;
}

const maxAttempts = 6;
const maxDelayMs = 30_000;

/** Runs `attempt` until it succeeds, fails for good, or fails `maxAttempts` times in a row without progress. */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  let reached = 0;
  for (let failures = 0; ; ) {
    options.signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      options.signal.throwIfAborted();
      if (!(error instanceof TransientError)) throw error;
      const progress = options.progress?.() ?? 0;
      failures = progress > reached ? 1 : failures + 1;
      reached = progress;
      if (failures >= maxAttempts) throw gaveUp(options.what, failures, error);
      await sleep(delayMs(error, failures, options.retryDelayMs), undefined, { signal: options.signal });
    }
  }
}

/** Doubles each time, with up to a quarter of jitter; a server's Retry-After wins. */
function delayMs(error: TransientError, failures: number, firstMs: number): number {
  const backoff = firstMs * 2 ** (failures - 1) * (1 + Math.random() / 4);
  return Math.min(error.retryAfterMs ?? backoff, maxDelayMs);
}

function gaveUp(what: string, attempts: number, cause: TransientError): TrimtabError {
  return new TrimtabError(
    'download_failed',
    `${what}: ${cause.message} (gave up after ${attempts} attempts)`,
    {
      cause,
    },
  );
}
