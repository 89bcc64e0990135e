import type { ServerMiddleware } from '../context.js';
import { newId } from '../new-id.js';
import { RequestRecord } from '../request-record.js';

const acceptable = /^[\w.:=/+-]{1,128}$/;

/** Names the request: by the caller's `x-request-id` if it is a decent one, else by a new id. */
export function requestId(): ServerMiddleware {
  return async function requestId(c, next) {
    const given = c.req.header('x-request-id');
    const id = given !== undefined && acceptable.test(given) ? given : newId('req');
    const record = new RequestRecord(id);
    c.set('record', record);
    await next();
    c.res.headers.set('x-request-id', id);
    c.res.headers.set('openai-processing-ms', record.elapsedMs.toFixed(0));
  };
}
