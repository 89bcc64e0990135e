import type { LookupAddress } from 'node:dns';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TrimtabError } from '../../../../src/core/errors.js';
import { serverConfigSchema } from '../../../../src/server/config.js';
import { type FetcherWorld, ImageFetcher } from '../../../../src/server/images/image-fetcher.js';
import { isPublicAddress } from '../../../../src/server/images/public-address.js';

const picture = Buffer.from('not really a picture');
const param = 'messages[0].content[0].image_url';

/** Routes of a server on loopback, which stands for the outside world. */
const routes: Readonly<Record<string, (response: ServerResponse, request: IncomingMessage) => void>> = {
  '/ok.png': (response) => response.writeHead(200, { 'content-type': 'image/png' }).end(picture),
  '/page': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
  '/missing': (response) => response.writeHead(404, { 'content-type': 'image/png' }).end(picture),
  '/moved': (response) => response.writeHead(302, { location: '/ok.png' }).end(),
  '/loop': (response) => response.writeHead(302, { location: '/loop' }).end(),
  '/nowhere': (response) => response.writeHead(302).end(),
  '/to-metadata': (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end(),
  '/to-loopback': (response) => response.writeHead(302, { location: 'http://127.0.0.1/' }).end(),
  '/to-file': (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/to-other': (response) => response.writeHead(302, { location: 'http://other.test/ok.png' }).end(),
  '/silent': () => {},
  '/drip': (response) => {
    response.writeHead(200, { 'content-type': 'image/png' });
    const timer = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(timer));
  },
  '/flood': (response) => {
    response.writeHead(200, { 'content-type': 'image/png' });
    const pour = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', pour);
    pour();
  },
};

let server: Server;
let port: number;
let requests = 0;
let fetcher: ImageFetcher;

beforeAll(async () => {
  server = createServer((request, response) => {
    requests++;
    routes[request.url ?? '']?.(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterEach(() => fetcher.close());
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const loopback: readonly LookupAddress[] = [{ address: '127.0.0.1', family: 4 }];
/** Every name leads to the test's server, and it may be reached. */
const lenient: FetcherWorld = {
  resolve: async () => loopback,
  mayConnect: (address) => address === '127.0.0.1',
};
/** Every name leads to the test's server, and the rules of production hold. */
const rebound: FetcherWorld = { resolve: async () => loopback, mayConnect: isPublicAddress };

function open(hosts: readonly string[], world?: FetcherWorld, limits: object = {}): ImageFetcher {
  const { remoteImages } = serverConfigSchema.parse({
    remoteImages: { hosts, timeoutMs: 10_000, ...limits },
  });
  fetcher = new ImageFetcher(remoteImages, world);
  return fetcher;
}

async function failure(url: string, signal = new AbortController().signal): Promise<TrimtabError> {
  try {
    await fetcher.fetch(url, param, signal);
  } catch (error) {
    expect(error).toBeInstanceOf(TrimtabError);
    return error as TrimtabError;
  }
  throw new Error(`${url} was fetched`);
}

describe('ImageFetcher', () => {
  it('should fetch nothing unless hosts are listed', async () => {
    open([], lenient);
    const { code, message } = await failure(`http://images.test:${port}/ok.png`);
    expect(code).toBe('unsupported_parameter');
    expect(message).toMatch(/data URLs/);
  });

  it('should fetch from a host of the list, and follow it on the same host', async () => {
    open([`images.test:${port}`], lenient);
    const { signal } = new AbortController();
    for (const path of ['/ok.png', '/moved']) {
      const bytes = await fetcher.fetch(`http://images.test:${port}${path}`, param, signal);
      expect(Buffer.from(bytes)).toEqual(picture);
    }
  });

  it.each([
    ['*.images.test:PORT', 'a.images.test', true],
    ['*.images.test:PORT', 'images.test', false],
    ['*.images.test:PORT', 'evilimages.test', false],
    ['images.test:PORT', 'images.test.evil.test', false],
    ['images.test', 'images.test', false],
    ['*:PORT', 'anything.test', true],
  ])('should read the entry %s for %s as %s', async (pattern, host, allowed) => {
    open([pattern.replace('PORT', String(port))], lenient);
    const url = `http://${host}:${port}/ok.png`;
    if (allowed) await fetcher.fetch(url, param, new AbortController().signal);
    else expect((await failure(url)).message).toMatch(/may not be fetched from/);
  });

  it.each([
    'http://127.0.0.1/a.png',
    'http://127.1/a.png',
    'http://2130706433/a.png',
    'http://0x7f000001/a.png',
    'http://0/a.png',
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/a.png',
    'http://[::ffff:127.0.0.1]/a.png',
    'http://[::ffff:a9fe:a9fe]/a.png',
    'http://10.0.0.1/a.png',
    'http://localhost/a.png',
  ])('should never connect to %s, whatever the list says', async (url) => {
    open(['*', `*:${port}`]);
    const before = requests;
    const { code, message } = await failure(url.replace(/\/(?=[a-z])/, `/`));
    expect(code).toBe('invalid_image');
    expect(message).toMatch(/not on the public internet/);
    expect(requests).toBe(before);
  });

  it('should judge the address that a name resolves to when it connects', async () => {
    open(['*', `*:${port}`], rebound);
    const before = requests;
    expect((await failure(`http://images.test:${port}/ok.png`)).message).toMatch(
      /not on the public internet/,
    );
    expect(requests).toBe(before);
  });

  it('should refuse a name of which only one address is private', async () => {
    const mixed: FetcherWorld = {
      resolve: async () => [{ address: '8.8.8.8', family: 4 }, ...loopback],
      mayConnect: isPublicAddress,
    };
    open([`*:${port}`], mixed);
    expect((await failure(`http://images.test:${port}/ok.png`)).message).toMatch(
      /not on the public internet/,
    );
  });

  it.each([
    ['/to-metadata', /public internet/],
    ['/to-loopback', /another host|may not be fetched/],
    ['/to-file', /http or https/],
    ['/to-other', /another host|may not be fetched/],
    ['/loop', /more than 3 redirects/],
    ['/nowhere', /without a location/],
    ['/page', /content type is text\/html/],
    ['/missing', /status 404/],
  ])('should refuse %s', async (path, reason) => {
    open([`*:${port}`, '*'], lenient);
    const error = await failure(`http://images.test:${port}${path}`);
    expect({ code: error.code, param: error.param }).toEqual({ code: 'invalid_image', param });
    expect(error.message).toMatch(reason);
  });

  it.each([
    'file:///etc/passwd',
    'ftp://images.test/a.png',
    'javascript:alert(1)',
    'gopher://images.test/',
    'images.test',
  ])('should refuse the URL %s', async (url) => {
    open(['*'], lenient);
    expect((await failure(url)).message).toMatch(/http or https|not a URL/);
  });

  it('should refuse names and passwords in a URL', async () => {
    open([`*:${port}`], lenient);
    expect((await failure(`http://user:secret@images.test:${port}/ok.png`)).message).toMatch(/user names/);
  });

  it.each(['/silent', '/drip'])('should give up on %s when its time is over', async (path) => {
    open([`*:${port}`], lenient, { timeoutMs: 400 });
    const startedAt = performance.now();
    expect((await failure(`http://images.test:${port}${path}`)).message).toMatch(/not fetched within 400 ms/);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  it('should stop reading a body that is over the limit', async () => {
    open([`*:${port}`], lenient, { maxBytes: 100_000, timeoutMs: 5000 });
    expect((await failure(`http://images.test:${port}/flood`)).message).toMatch(/larger than 100000 bytes/);
  });

  it('should stop when the client goes away', async () => {
    open([`*:${port}`], lenient, { timeoutMs: 20_000 });
    const client = new AbortController();
    setTimeout(() => client.abort(), 50);
    expect((await failure(`http://images.test:${port}/silent`, client.signal)).code).toBe(
      'client_closed_request',
    );
  });
});
