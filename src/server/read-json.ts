/** Reads a JSON body from an untrusted client: bounded in size, time and depth, strict in encoding. */

import { TrimtabError } from '../core/errors.js';
import { LongStringGuard } from './long-string.js';

export interface BodyLimits {
  readonly bodyLimitBytes: number;
  /** Longest string in the body, as it is written there. */
  readonly stringLimitBytes: number;
  readonly bodyTimeoutMs: number;
}

const maxDepth = 64;

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = Buffer.from(
  '"\\[]{}',
) as unknown as [number, number, number, number, number, number];

/**
 * @throws {TrimtabError} unsupported_media_type, payload_too_large, request_timeout or invalid_json; invalid_image or
 * invalid_request for a string over the limit
 */
export async function readJson(request: Request, limits: BodyLimits): Promise<Record<string, unknown>> {
  requireJsonHeaders(request.headers);
  const bytes = await readBody(request, limits);
  requireShallow(bytes);
  return parseObject(decodeUtf8(bytes));
}

/**
 * A missing content type is refused too: browsers send cross-origin posts without one unasked, and a web page
 * must not be able to use a server on the user's machine.
 */
function requireJsonHeaders(headers: Headers): void {
  const [type = '', ...parameters] = (headers.get('content-type') ?? '').toLowerCase().split(';');
  const charset = parameters.map((parameter) => parameter.trim()).find((p) => p.startsWith('charset='));
  const isJson = /^application\/([\w.+-]+\+)?json$/.test(type.trim());
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  if (!isJson || !isUtf8) {
    const received = headers.get('content-type')?.slice(0, 100) ?? 'none';
    throw new TrimtabError(
      'unsupported_media_type',
      `content-type: expected application/json in UTF-8, received ${received}`,
    );
  }
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    throw new TrimtabError('unsupported_media_type', 'content-encoding: compressed bodies are not accepted');
  }
}

async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  const announced = Number(request.headers.get('content-length') ?? 0);
  if (announced > limits.bodyLimitBytes) throw tooLarge(limits.bodyLimitBytes);
  const reader = request.body?.getReader();
  if (reader === undefined) return new Uint8Array();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    reader.cancel().catch(() => {}); // ends the read that is pending
  }, limits.bodyTimeoutMs);
  try {
    const bytes = await readAtMost(reader, limits);
    if (timedOut) throw timeout(limits.bodyTimeoutMs);
    return bytes;
  } catch (error) {
    if (error instanceof TrimtabError) throw error;
    if (timedOut) throw timeout(limits.bodyTimeoutMs);
    throw new TrimtabError('client_closed_request', 'The body ended before it was complete.', {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** What is refused is still read to its end, as a client that is cut off while it sends never hears why. */
async function readAtMost(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  { bodyLimitBytes, stringLimitBytes }: BodyLimits,
): Promise<Uint8Array> {
  const strings = new LongStringGuard(stringLimitBytes);
  let chunks: Uint8Array[] = [];
  let length = 0;
  let refusal: TrimtabError | undefined;
  for (;;) {
    const { done, value } = await reader.read();
    if (done && refusal !== undefined) throw refusal;
    if (done) return Buffer.concat(chunks, length);
    length += value.byteLength;
    if (length > bodyLimitBytes) throw refusal ?? tooLarge(bodyLimitBytes);
    refusal ??= strings.push(value);
    if (refusal === undefined) chunks.push(value);
    else chunks = [];
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TrimtabError('invalid_json', 'The body is not valid UTF-8.', { cause });
  }
}

/** Nested values are handed on to other threads and templates, which recurse. */
function requireShallow(json: Uint8Array): void {
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]!;
    if (byte === quote) i = stringEnd(json, i + 1);
    else if (byte === openBracket || byte === openBrace) depth++;
    else if (byte === closeBracket || byte === closeBrace) depth--;
    if (depth > maxDepth) {
      throw new TrimtabError('invalid_json', `The body is nested deeper than ${maxDepth} levels.`);
    }
  }
}

/** Index of the quotation mark that ends a string: the next one with an even number of backslashes before it. */
function stringEnd(json: Uint8Array, from: number): number {
  for (let end = json.indexOf(quote, from); end >= 0; end = json.indexOf(quote, end + 1)) {
    let slashes = 0;
    while (json[end - 1 - slashes] === backslash) slashes++;
    if (slashes % 2 === 0) return end;
  }
  return json.length;
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TrimtabError('invalid_json', `The body is not valid JSON: ${reason}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new TrimtabError('invalid_json', 'The body must be a JSON object.');
}

function tooLarge(limit: number): TrimtabError {
  return new TrimtabError('payload_too_large', `The body is larger than the limit of ${limit} bytes.`);
}

function timeout(limitMs: number): TrimtabError {
  return new TrimtabError('request_timeout', `The body did not arrive within ${limitMs} ms.`);
}
