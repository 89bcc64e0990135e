/**
 * A model hub on this machine: the listing, and files behind `resolve`. Files over `lfsBytes` are redirected to a
 * storage server on another port, as the real hub does. A test can put misbehaviour before the honest answer.
 */

import { createHash } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getGlobalDispatcher } from 'undici';
import { onTestFinished } from 'vitest';
import type { HubOptions } from '../../src/hub/hub-options.js';
import { temporaryFolder } from './safetensors-bytes.js';

export type Answer = (request: IncomingMessage, response: ServerResponse, bytes: Buffer) => void;

export interface SeenRequest {
  readonly server: 'hub' | 'storage';
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export const commit = '0123456789abcdef0123456789abcdef01234567';
const lfsBytes = 1000;

export class HubServer {
  readonly seen: SeenRequest[] = [];
  /** Per path (`/api/…`) or file name: answers that come before the honest one, each used once. */
  readonly instead = new Map<string, Answer[]>();
  /** Changes the listing before it is sent. */
  editListing: (listing: Record<string, unknown>) => unknown = (listing) => listing;
  endpoint = '';
  readonly files: Map<string, Buffer>;
  #storage = '';

  private constructor(files: Record<string, Buffer | string>) {
    this.files = new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)]));
  }

  /** Runs until the test ends. */
  static async start(files: Record<string, Buffer | string>): Promise<HubServer> {
    const server = new HubServer(files);
    server.endpoint = await listen((request, response) => server.#answerHub(request, response));
    server.#storage = await listen((request, response) => server.#answerStorage(request, response));
    return server;
  }

  /** Options of a client with an empty cache of its own. */
  options(changes: Partial<HubOptions> = {}): HubOptions {
    const defaults = { token: undefined, offline: false, retryDelayMs: 1, dispatcher: getGlobalDispatcher() };
    return { endpoint: this.endpoint, cacheFolder: temporaryFolder(), ...defaults, ...changes };
  }

  requestsFor(name: string): SeenRequest[] {
    return this.seen.filter(({ path }) => path.endsWith(name));
  }

  #answerHub(request: IncomingMessage, response: ServerResponse): void {
    const path = this.#note('hub', request);
    const name = path.split('/').at(-1)!;
    const bytes = this.files.get(name);
    if (path.startsWith('/api/models/')) this.#answer(path, request, response, this.#listing(), sendBytes);
    else if (bytes === undefined) response.writeHead(404, { 'x-error-code': 'EntryNotFound' }).end();
    else if (bytes.length > lfsBytes) response.writeHead(302, { location: `${this.#storage}/${name}` }).end();
    else this.#answer(name, request, response, bytes, sendBytes);
  }

  #answerStorage(request: IncomingMessage, response: ServerResponse): void {
    const name = this.#note('storage', request).slice(1);
    this.#answer(name, request, response, this.files.get(name)!, sendBytes);
  }

  #answer(
    key: string,
    request: IncomingMessage,
    response: ServerResponse,
    bytes: Buffer,
    honest: Answer,
  ): void {
    const answer = this.instead.get(key)?.shift() ?? honest;
    answer(request, response, bytes);
  }

  #note(server: 'hub' | 'storage', request: IncomingMessage): string {
    const path = decodeURIComponent(new URL(request.url!, 'http://x').pathname);
    const { range, authorization } = request.headers;
    this.seen.push({ server, path, range, authorization });
    return path;
  }

  #listing(): Buffer {
    const siblings = [...this.files].map(([rfilename, bytes]) => ({
      rfilename,
      size: bytes.length,
      blobId: gitSha1(bytes),
      ...(bytes.length > lfsBytes && {
        lfs: { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 },
      }),
    }));
    return Buffer.from(JSON.stringify(this.editListing({ id: 'org/model', sha: commit, siblings })));
  }
}

/** The honest answer, with `Range`. */
export const sendBytes: Answer = (request, response, bytes) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const range = start > 0 && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': bytes.length - start, ...range });
  response.end(bytes.subarray(start));
};

/** Sends up to byte `end` of what was asked for, then cuts the connection. */
export const dropAt =
  (end: number): Answer =>
  (request, response, bytes) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = start > 0 && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': bytes.length - start, ...range });
    response.write(bytes.subarray(start, end), () => response.destroy());
  };

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(code, headers).end('{"error":"…"}');
  };

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function gitSha1(bytes: Buffer): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

async function listen(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
