import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Hono } from 'hono';
import { afterEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../../src/core/backend.js';
import type { GenerateEvent } from '../../../src/core/messages.js';
import { serverConfigSchema } from '../../../src/server/config.js';
import type { ServerEnv } from '../../../src/server/context.js';
import { listen } from '../../../src/server/listen.js';
import { errorOf, eventually } from '../../contract/target.js';
import { EchoBackend, type EchoOptions } from '../../helpers/echo-backend.js';
import { readEventStream } from '../../helpers/event-stream.js';
import { assertSchema } from '../../helpers/openai-schema.js';
import { startTestServer, type TestServer } from '../../helpers/test-server.js';

const servers: TestServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function start(options: EchoOptions = {}, settings: object = {}) {
  const backend = new EchoBackend(options);
  const server = await serve(backend, settings);
  return { backend, server };
}

async function serve(backend: Backend, settings: object = {}): Promise<TestServer> {
  const server = await startTestServer(backend, settings);
  servers.push(server);
  return server;
}

function chat(
  server: TestServer,
  body: object = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({
      model: 'echo',
      messages: [{ role: 'user', content: 'hello there' }],
      temperature: 0,
      ...body,
    }),
  });
}

/** Everything that the server answers to these bytes, until it hangs up or the pattern is seen. */
function exchange(server: TestServer, bytes: string | Buffer, until = /(?!)/): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1');
    let text = '';
    const end = () => {
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (until.test(text)) end();
    });
    socket.on('error', end);
    socket.on('close', end);
    socket.write(bytes);
  });
}

function bodyOf(answer: string): unknown {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
}

const head = 'POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';

describe('API keys', () => {
  const settings = { apiKeys: ['first-key', 'second-key'] };

  it.each([
    ['authorization', 'Bearer second-key'],
    ['authorization', 'bearer first-key'],
    ['x-api-key', 'first-key'],
  ])('let in who shows one as %s: %s', async (name, value) => {
    const { server } = await start({}, settings);
    expect((await chat(server, {}, { [name]: value })).status).toBe(200);
  });

  it.each([
    {},
    { authorization: 'Bearer wrong' },
    { authorization: 'Basic first-key' },
    { 'x-api-key': 'first-key2' },
  ])('keep out who shows %j', async (headers) => {
    const { server, backend } = await start({}, settings);
    for (const path of ['/v1/models', '/metrics', '/version', '/nowhere']) {
      const { status, error } = await errorOf(
        await fetch(server.url + path, { headers: headers as Record<string, string> }),
      );
      expect({ status, code: error.code, type: error.type }).toEqual({
        status: 401,
        code: 'invalid_api_key',
        type: 'authentication_error',
      });
    }
    expect((await chat(server, {}, headers as Record<string, string>)).status).toBe(401);
    expect(backend.requests).toHaveLength(0);
  });

  it('are not asked for by health checks, and by scrapers only if configured', async () => {
    const { server } = await start({}, { ...settings, publicMetrics: true });
    for (const path of ['/health', '/ready', '/metrics']) {
      expect((await fetch(server.url + path)).status).toBe(200);
    }
  });
});

describe('failures of the engine', () => {
  it('are plain HTTP errors before the first token, streamed or not', async () => {
    for (const stream of [false, true]) {
      const { server } = await start({ failAfterTokens: 0 });
      const { status, error, headers } = await errorOf(await chat(server, { stream }));
      expect({ status, code: error.code }).toEqual({ status: 500, code: 'engine_failure' });
      expect(headers.get('x-should-retry')).toBe('true');
    }
  });

  it('are a data frame with an error after it, and [DONE] still comes', async () => {
    const { server } = await start({ failAfterTokens: 3 });
    const { frames, isDone } = await readEventStream(await chat(server, { stream: true }));
    expect(isDone).toBe(true);
    expect(frames).toHaveLength(5);
    assertSchema('ErrorResponse', frames.at(-1));
    expect(frames.at(-1).error).toMatchObject({ code: 'engine_failure', type: 'server_error' });
    expect(server.logLines.join('')).toContain('"error":"engine_failure"');
  });

  it('tell nothing about a bug but that there was one', async () => {
    class Buggy extends EchoBackend {
      override generate(): never {
        throw new Error('secret detail');
      }
    }
    const server = await serve(new Buggy());
    const { status, error, headers } = await errorOf(await chat(server));
    expect({ status, code: error.code }).toEqual({ status: 500, code: 'internal_error' });
    expect(error.message).not.toContain('secret');
    expect(headers.get('x-should-retry')).toBe('false');
    expect(server.logLines.join('')).toContain('secret detail');
  });

  it('include a generation that just stops', async () => {
    class Quitter extends EchoBackend {
      override async *generate(): AsyncGenerator<never> {}
    }
    const server = await serve(new Quitter());
    expect((await errorOf(await chat(server))).error.code).toBe('engine_failure');
  });
});

describe('a busy or unready engine', () => {
  it('answers 429 with the time to wait, also to a stream', async () => {
    const { server, backend } = await start({ lanes: 1, queueLimit: 1, stepMs: 5 });
    const first = [chat(server, { ignore_eos: true, max_tokens: 40 }), chat(server)];
    await eventually(async () => backend.running + backend.waiting === 2);
    const { status, error, headers } = await errorOf(await chat(server, { stream: true }));
    expect({ status, code: error.code, type: error.type }).toEqual({
      status: 429,
      code: 'queue_full',
      type: 'rate_limit_error',
    });
    expect(headers.get('retry-after')).toBe('2');
    expect(headers.get('retry-after-ms')).toBe('2000');
    expect(headers.get('x-should-retry')).toBe('true');
    for (const response of await Promise.all(first)) expect(response.status).toBe(200);
  });

  it('answers 503 while the model loads, and is not ready', async () => {
    const { server } = await start({ state: 'loading' });
    const answer = await errorOf(await chat(server));
    expect({ status: answer.status, code: answer.error.code }).toEqual({
      status: 503,
      code: 'model_unavailable',
    });
    expect(answer.headers.get('retry-after')).toBe('1');
    const ready = await fetch(`${server.url}/ready`);
    expect(ready.status).toBe(503);
    expect((await errorOf(ready)).error.message).toContain('echo is loading');
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
  });

  it('answers 503 while it drains', async () => {
    const { server, backend } = await start();
    await backend.close();
    expect((await errorOf(await chat(server))).error.code).toBe('shutting_down');
    expect((await fetch(`${server.url}/ready`)).status).toBe(503);
  });

  it('frees the place of a client that leaves the queue', async () => {
    const { server, backend } = await start({ lanes: 1, stepMs: 2 });
    const running = chat(server, { ignore_eos: true, max_tokens: 60 });
    await eventually(async () => backend.running === 1);
    const controller = new AbortController();
    const waiting = fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'echo', prompt: 'queued', stream: true }),
      signal: controller.signal,
    });
    await eventually(async () => backend.waiting === 1);
    controller.abort();
    await expect(waiting).rejects.toThrow();
    await eventually(async () => backend.waiting === 0);
    expect((await running).status).toBe(200);
    expect(backend.running).toBe(0);
  });
});

/** Has always more to say. */
class FireHose extends EchoBackend {
  sentBytes = 0;
  isOpen = false;

  override async *generate(): AsyncGenerator<GenerateEvent> {
    const text = 'x'.repeat(64 * 1024);
    this.isOpen = true;
    try {
      yield { type: 'start', promptTokens: 1, cachedTokens: 0 };
      for (;;) {
        this.sentBytes += text.length;
        yield { type: 'delta', choice: 0, text, tokenCount: 1 };
      }
    } finally {
      this.isOpen = false;
    }
  }
}

describe('streams', () => {
  it('get headers and comment lines while the first token takes long', async () => {
    const { server } = await start({ prefillMs: 150 }, { keepAliveIntervalMs: 20 });
    const { frames, comments, isDone } = await readEventStream(await chat(server, { stream: true }));
    expect(comments.length).toBeGreaterThan(1);
    expect(new Set(comments)).toEqual(new Set([': ping']));
    expect(frames[0].choices[0].delta.role).toBe('assistant');
    expect(isDone).toBe(true);
  });

  it('hold no more than the client takes, and end when it leaves', async () => {
    const hose = new FireHose();
    const server = await serve(hose);
    const body = JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'x' }], stream: true });
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`${head}content-length: ${body.length}\r\n\r\n${body}`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.pause();
    let seen = -1;
    await eventually(async () => {
      const isStill = hose.sentBytes === seen;
      seen = hose.sentBytes;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return isStill;
    });
    expect(seen).toBeLessThan(64 * 1024 * 1024);
    expect(hose.isOpen).toBe(true);
    socket.destroy();
    await eventually(async () => !hose.isOpen);
  });

  it('run no more prompts of one request at a time than configured', async () => {
    const { server, backend } = await start({ stepMs: 1 }, { promptConcurrency: 2 });
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, backend.running);
    }, 1);
    const response = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'echo', prompt: ['a', 'b', 'c', 'd', 'e'], ignore_eos: true }),
    });
    clearInterval(watch);
    expect(((await response.json()) as { choices: unknown[] }).choices).toHaveLength(5);
    expect(most).toBe(2);
  });
});

describe('hostile bytes', () => {
  it('of 100 MB are refused while they arrive', async () => {
    const { server } = await start({}, { bodyLimitBytes: 16 * 1024 * 1024 });
    const before = process.memoryUsage().external;
    const chunk = `"${'x'.repeat(1024 * 1024 - 1)}`;
    const chunked = `${head}transfer-encoding: chunked\r\n\r\n`;
    const body = `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(30);
    const answer = await exchange(server, chunked + body, /payload_too_large/);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(process.memoryUsage().external - before).toBeLessThan(100 * 1024 * 1024);
    const announced = await exchange(server, `${head}content-length: 104857600\r\n\r\n`, /payload_too_large/);
    expect(announced).toMatch(/^HTTP\/1\.1 413 .*\r\n/);
    expect(announced).toMatch(/connection: close/i);
  });

  it('that come too slowly are answered 408', async () => {
    const { server } = await start({}, { bodyTimeoutMs: 60 });
    const answer = await exchange(server, `${head}content-length: 500\r\n\r\n{"model"`);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    assertSchema('ErrorResponse', bodyOf(answer));
  });

  it.each([
    'NONSENSE\r\n\r\n',
    'GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n',
    `GET /${'x'.repeat(100_000)} HTTP/1.1\r\n\r\n`,
  ])('that are no HTTP are answered in the usual shape (%#)', async (bytes) => {
    const { server } = await start();
    const answer = await exchange(server, bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    assertSchema('ErrorResponse', bodyOf(answer));
  });

  it('in the target of a request are answered in the usual shape', async () => {
    const { server } = await start();
    const answer = await exchange(server, 'GET /v1\\models HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    assertSchema('ErrorResponse', bodyOf(answer));
  });

  it('leave nothing behind after 500 requests', async () => {
    const { server, backend } = await start({ stepMs: 1 });
    const large = 'x'.repeat(100_000);
    const bodies = [
      { n: 0, user: large },
      { messages: [{ role: 'user', content: 'x'.repeat(2000) }], user: large },
      { model: 'nobody', user: large },
      { temperature: 'hot', user: large },
      { stop: [large] },
    ];
    const send = async (i: number) => {
      const signal = AbortSignal.timeout(20);
      if (i % 5 === 0) return void (await leave(server, signal));
      await (await chat(server, bodies[i % bodies.length]!)).text();
    };
    for (let i = 0; i < 50; i++) await send(i);
    const before = heapBytes();
    for (let i = 0; i < 450; i += 25) await Promise.all(Array.from({ length: 25 }, (_, j) => send(i + j)));
    await eventually(async () => backend.running === 0 && backend.waiting === 0);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('trimtab_http_requests_in_flight 1');
    expect(heapBytes() - before).toBeLessThan(10 * 1024 * 1024); // their bodies were 36 MB
  }, 120_000);
});

/** Bytes that are reachable. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

async function leave(server: TestServer, signal: AbortSignal): Promise<void> {
  const request = fetch(`${server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'echo',
      messages: [{ role: 'user', content: 'x' }],
      ignore_eos: true,
      stream: true,
    }),
    signal,
  });
  await request.then((response) => response.text()).catch(() => {}); // aborted on purpose
}

describe('logs', () => {
  it('have one line per request with its id, tokens and times, and never the prompt or the key', async () => {
    const { server } = await start({}, { apiKeys: ['top-secret-key'] });
    const secret = 'my-private-prompt';
    const headers = { authorization: 'Bearer top-secret-key', 'x-request-id': 'job-1' };
    await chat(server, { messages: [{ role: 'user', content: secret }] }, headers);
    await chat(server, { messages: [{ role: 'user', content: secret }], stop: [secret, 5] }, headers);
    await chat(server, { messages: [{ role: secret, content: secret }] }, headers);
    const log = server.logLines.join('');
    expect(log).not.toContain(secret);
    expect(log).not.toContain('top-secret-key');
    const line = JSON.parse(server.logLines[0]!);
    expect(line).toMatchObject({
      requestId: 'job-1',
      route: '/v1/chat/completions',
      status: 200,
      model: 'echo',
      completionTokens: secret.length,
      finishReasons: ['stop'],
    });
    expect(line.durationMs).toBeGreaterThan(0);
    expect(server.logLines).toHaveLength(3);
  });
});

describe('web pages', () => {
  it('are let in from configured origins only', async () => {
    const { server } = await start({}, { corsOrigins: ['https://chat.example'], apiKeys: ['k'] });
    const preflight = (origin: string) =>
      fetch(`${server.url}/v1/chat/completions`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization',
        },
      });
    const allowed = await preflight('https://chat.example');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://chat.example');
    expect(allowed.headers.get('access-control-allow-headers')).toBe('authorization');
    expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
  });

  it('are not let in by default', async () => {
    const { server } = await start();
    const response = await fetch(`${server.url}/v1/models`, { headers: { origin: 'https://evil.example' } });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('listen', () => {
  it('says which address is taken', async () => {
    const { server } = await start();
    const config = serverConfigSchema.parse({ port: server.port });
    await expect(listen(new Hono<ServerEnv>(), config)).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining(String(server.port)),
    });
  });

  it('lets replies under way finish when it closes', async () => {
    const app = new Hono<ServerEnv>();
    let arrived = () => {};
    const underWay = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    app.get('/', async (c) => {
      arrived();
      await new Promise((resolve) => setTimeout(resolve, 50));
      return c.text('done');
    });
    const listener = await listen(app, serverConfigSchema.parse({ port: 0 }));
    const reply = fetch(listener.url);
    await underWay;
    await listener.close(5000);
    expect(await (await reply).text()).toBe('done');
    await expect(fetch(listener.url)).rejects.toThrow();
  });
});
