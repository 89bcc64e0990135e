/** One GET to the hub: follows redirects without giving the token to other hosts, and sorts out the failures. */

import type { Dispatcher } from 'undici';
import { request } from 'undici';
import { TrimtabError } from '../core/errors.js';
import type { HubOptions } from './hub-options.js';
import { TransientError } from './retry.js';

export type HubResponse = Dispatcher.ResponseData;

const maxRedirects = 10;
const headersTimeoutMs = 30_000;
const idleTimeoutMs = 60_000;

/**
 * Resolves with a response of status 200, 206 or 416, whose body the caller consumes. Throws `TransientError`
 * for what may pass, `download_failed` with advice for the rest.
 */
export async function hubGet(
  hub: HubOptions,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<HubResponse> {
  let target = new URL(url);
  for (let redirects = 0; redirects <= maxRedirects; redirects++) {
    const response = await send(hub, target, { ...headers, ...authorization(hub, target) }, signal);
    if (!isRedirect(response.statusCode)) return checkStatus(hub, target, response);
    await response.body.dump();
    target = redirectTarget(target, response);
  }
  throw new TrimtabError('download_failed', `${url}: more than ${maxRedirects} redirects`);
}

/** The token is for the hub itself; its redirects lead to storage hosts that must not see it. */
function authorization(hub: HubOptions, target: URL): Record<string, string> {
  const isHub = target.origin === new URL(hub.endpoint).origin;
  return isHub && hub.token !== undefined ? { authorization: `Bearer ${hub.token}` } : {};
}

async function send(
  hub: HubOptions,
  target: URL,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<HubResponse> {
  try {
    return await request(target, {
      headers: { 'user-agent': 'trimtab', 'accept-encoding': 'identity', ...headers },
      headersTimeout: headersTimeoutMs,
      bodyTimeout: idleTimeoutMs,
      signal,
      dispatcher: hub.dispatcher,
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw new TransientError(`${target.host}: ${reasonOf(cause)}`, { cause });
  }
}

/** A refused connection to a name with several addresses has its message only in the parts. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}

function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status);
}

function redirectTarget(from: URL, response: HubResponse): URL {
  const location = String(response.headers.location ?? '');
  const target = location !== '' && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const allowed = from.protocol === 'https:' ? ['https:'] : ['http:', 'https:'];
  if (target !== undefined && allowed.includes(target.protocol)) return target;
  throw new TrimtabError(
    'download_failed',
    `${from.href}: redirects to ${JSON.stringify(location.slice(0, 200))}`,
  );
}

async function checkStatus(hub: HubOptions, target: URL, response: HubResponse): Promise<HubResponse> {
  const { statusCode: status, headers } = response;
  if (status === 200 || status === 206 || status === 416) return response;
  await response.body.dump();
  const place = `${target.origin}${target.pathname}`;
  if (status === 408 || status === 429 || status >= 500) {
    throw new TransientError(`${place} answered ${status}`, { retryAfterMs: retryAfterMs(headers) });
  }
  const facts = explain(hub, status, String(headers['x-error-code'] ?? ''));
  throw new TrimtabError('download_failed', `${place} answered ${status}: ${facts}`);
}

function retryAfterMs(headers: HubResponse['headers']): number | undefined {
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return seconds >= 0 ? seconds * 1000 : undefined;
}

/** The hub hides private models behind 401 and 404, and says more in `X-Error-Code`. */
function explain(hub: HubOptions, status: number, code: string): string {
  const token = hub.token === undefined ? 'set HF_TOKEN' : 'check that the token in use may read it';
  if (code === 'GatedRepo') return `the model is gated; accept its terms on its page, then ${token}`;
  if (code === 'RevisionNotFound') return 'there is no such revision';
  if (code === 'EntryNotFound') return 'there is no such file';
  if (code === 'RepoNotFound') return `there is no such model, or it is private; if it is yours, ${token}`;
  if (status === 401) return `it does not exist or needs a login; ${token}`;
  if (status === 403) return `access is denied; ${token}`;
  if (status === 404) return 'there is no such model, revision or file';
  return 'unexpected status';
}
