/**
 * Fetches images that requests only name. Off unless the operator lists hosts, and then suspicious of everything:
 * the host must be on the list, every address that it resolves to at the moment of connecting must be public,
 * redirects stay on the host, and size, time and type are bounded.
 */

import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import type { Dispatcher } from 'undici';
import { Agent, request } from 'undici';
import { TrimtabError } from '../../core/errors.js';
import type { ServerConfig } from '../config.js';
import { isPublicAddress } from './public-address.js';

export type RemoteImageConfig = ServerConfig['remoteImages'];

/** How the outside world is reached. Tests bring their own; no setting can. */
export interface FetcherWorld {
  /** Addresses of a host name. */
  resolve(host: string): Promise<readonly LookupAddress[]>;
  mayConnect(address: string): boolean;
}

const world: FetcherWorld = {
  resolve: (host) =>
    new Promise((resolve, reject) => {
      lookup(host, { all: true }, (error, addresses) =>
        error === null ? resolve(addresses) : reject(error),
      );
    }),
  mayConnect: isPublicAddress,
};

const maxRedirects = 3;
const redirectCodes = [301, 302, 303, 307, 308];
const defaultPorts = { 'http:': '80', 'https:': '443' } as const;

/** Thrown by the resolver; its message is meant for the caller. */
class ForbiddenAddress extends Error {}

export class ImageFetcher {
  readonly #config: RemoteImageConfig;
  readonly #world: FetcherWorld;
  readonly #agent: Agent;

  constructor(config: RemoteImageConfig, outside: FetcherWorld = world) {
    this.#config = config;
    this.#world = outside;
    this.#agent = new Agent({
      connect: { lookup: this.#lookup, timeout: config.timeoutMs },
      headersTimeout: config.timeoutMs,
      bodyTimeout: config.timeoutMs,
      maxHeaderSize: 16 * 1024,
    });
  }

  /** @throws {TrimtabError} unsupported_parameter when fetching is off, invalid_image for all that goes wrong */
  async fetch(url: string, param: string, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#config.hosts.length === 0) {
      throw new TrimtabError(
        'unsupported_parameter',
        `${param}: this server does not fetch images; send them as data URLs (data:image/png;base64,…).`,
        { param },
      );
    }
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(this.#config.timeoutMs)]);
    try {
      return await this.#follow(this.#checked(url), deadline);
    } catch (error) {
      throw explain(error, param, signal, this.#config.timeoutMs);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #follow(first: URL, signal: AbortSignal): Promise<Uint8Array> {
    let url = first;
    for (let hops = 0; hops <= maxRedirects; hops++) {
      const response = await request(url, {
        dispatcher: this.#agent,
        headers: { accept: 'image/*', 'user-agent': 'trimtab' },
        signal,
      });
      if (!redirectCodes.includes(response.statusCode)) return await this.#body(response);
      discard(response.body);
      url = this.#redirected(url, response.headers.location);
    }
    throw new Refusal(`more than ${maxRedirects} redirects`);
  }

  #redirected(from: URL, location: string | string[] | undefined): URL {
    if (typeof location !== 'string') throw new Refusal('a redirect without a location');
    const to = this.#checked(URL.canParse(location, from.href) ? new URL(location, from).href : location);
    if (to.hostname !== from.hostname) throw new Refusal('redirected to another host, which is not followed');
    return to;
  }

  async #body({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Uint8Array> {
    try {
      if (statusCode !== 200) throw new Refusal(`the server answered with status ${statusCode}`);
      const type = String(headers['content-type'] ?? 'none').toLowerCase();
      if (!type.startsWith('image/'))
        throw new Refusal(`the content type is ${type.slice(0, 100)}, expected image/…`);
      return await this.#atMost(body);
    } finally {
      discard(body);
    }
  }

  async #atMost(body: AsyncIterable<Buffer>): Promise<Uint8Array> {
    const { maxBytes } = this.#config;
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body) {
      length += chunk.length;
      if (length > maxBytes) throw new Refusal(`larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, length);
  }

  /** A URL that may be asked for. Addresses written as such never reach the resolver, so they are judged here. */
  #checked(text: string): URL {
    if (!URL.canParse(text)) throw new Refusal('not a URL');
    const url = new URL(text);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new Refusal(`expected a data, http or https URL, received ${url.protocol.slice(0, 20)}`);
    }
    if (url.username !== '' || url.password !== '') throw new Refusal('user names in a URL are not accepted');
    const address = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(address) !== 0 && !this.#world.mayConnect(address)) throw new ForbiddenAddress();
    const port = url.port === '' ? defaultPorts[url.protocol] : url.port;
    const allowed = this.#config.hosts.some((pattern) => hostMatches(pattern, url.hostname, port));
    if (!allowed) throw new Refusal(`images may not be fetched from ${url.host.slice(0, 100)}`);
    return url;
  }

  /** Called by the socket at the moment of connecting: what is checked is what is connected to. */
  readonly #lookup: LookupFunction = (host, { all }, callback) => {
    this.#world.resolve(host).then(
      (addresses) => {
        const forbidden = addresses.some(({ address }) => !this.#world.mayConnect(address));
        const [first] = addresses;
        if (forbidden || first === undefined) callback(new ForbiddenAddress(), '');
        else if (all) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error) => callback(error, ''),
    );
  };
}

/** What is not read to its end reports that as an error, which nobody waits for. */
function discard(body: Dispatcher.ResponseData['body']): void {
  body.on('error', () => {}).destroy();
}

/** The caller's mistake, in words for the caller. */
class Refusal extends Error {}

/** `example.com`, `*.example.com` (hosts below it), `*`; a port only if it is not the usual one. */
function hostMatches(pattern: string, host: string, port: string): boolean {
  const [, name, ownPort] = /^(.*?)(?::(\d+))?$/.exec(pattern)!;
  const isUsualPort = Object.values<string>(defaultPorts).includes(port);
  if (ownPort === undefined ? !isUsualPort : ownPort !== port) return false;
  if (name === '*') return true;
  return name!.startsWith('*.') ? host.endsWith(name!.slice(1)) : host === name;
}

function explain(error: unknown, param: string, client: AbortSignal, timeoutMs: number): TrimtabError {
  if (client.aborted) return new TrimtabError('client_closed_request', 'The client closed the connection.');
  return new TrimtabError('invalid_image', `${param}: ${reason(error, timeoutMs)}`, { param, cause: error });
}

function reason(error: unknown, timeoutMs: number): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (error instanceof ForbiddenAddress || cause instanceof ForbiddenAddress) {
    return 'the host is not on the public internet';
  }
  if (error instanceof Refusal) return error.message;
  if (error instanceof Error && /Timeout|Abort/.test(error.name)) return `not fetched within ${timeoutMs} ms`;
  const code = (error as { code?: unknown } | null)?.code;
  return `cannot be fetched${typeof code === 'string' ? ` (${code})` : ''}`;
}
