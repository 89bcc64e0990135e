/** Any failure to OpenAI's error body and headers. */

import { type ErrorCode, TrimtabError } from '../../core/errors.js';

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
    readonly [detail: string]: number | string | null;
  };
}

/** Worth another try with the same body, here or at another replica. */
const retriable: ReadonlySet<ErrorCode> = new Set([
  'queue_full',
  'rate_limit_exceeded',
  'engine_failure',
  'model_unavailable',
  'shutting_down',
]);
const defaultRetrySeconds = 1;

/** Anything but a `TrimtabError` is a bug; its message may hold private data and stays in the log. */
export function toTrimtabError(error: unknown): TrimtabError {
  if (error instanceof TrimtabError) return error;
  return new TrimtabError('internal_error', 'An unexpected error; the server log has its details.', {
    cause: error,
  });
}

export function errorBody(error: TrimtabError): ErrorBody {
  const { message, type, code } = error;
  return { error: { ...error.details, message, type, param: error.param ?? null, code } };
}

/** OpenAI's clients retry by `x-should-retry`, and after `retry-after-ms`. */
export function errorHeaders(error: TrimtabError): Record<string, string> {
  const headers: Record<string, string> = { 'x-should-retry': String(retriable.has(error.code)) };
  if (error.status === 429 || error.status === 503) {
    const seconds = error.retryAfterSeconds ?? defaultRetrySeconds;
    headers['retry-after'] = String(Math.ceil(seconds));
    headers['retry-after-ms'] = String(Math.ceil(seconds * 1000));
  }
  if (error.status === 401) headers['www-authenticate'] = 'Bearer';
  // What is left of the body is not worth reading.
  if (error.status === 408 || error.status === 413) headers.connection = 'close';
  return headers;
}
