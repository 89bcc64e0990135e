/** The one place where a failure becomes a reply, before the headers are sent. After that see `stream-reply.ts`. */

import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { TrimtabError } from '../core/errors.js';
import type { ServerContext, ServerDependencies } from './context.js';
import { errorBody, errorHeaders, toTrimtabError } from './openai/error-body.js';

export function errorHandler(deps: ServerDependencies) {
  return (error: unknown, c: ServerContext): Response => {
    const failure = noteFailure(deps, c, error);
    return c.json(errorBody(failure), failure.status as ContentfulStatusCode, errorHeaders(failure));
  };
}

/** Puts the failure on the record, and into the log when it is a fault of the server and not its state. */
export function noteFailure(deps: ServerDependencies, c: ServerContext, error: unknown): TrimtabError {
  const failure = toTrimtabError(error);
  const { record } = c.var;
  record.errorCode = failure.code;
  if (failure.status >= 500 && failure.status !== 503) {
    const cause = failure.cause instanceof Error ? failure.cause : failure;
    deps.logger.error({ requestId: record.id, code: failure.code, err: cause }, 'request failed');
  }
  return failure;
}
