import { afterEach, describe, expect, it } from 'vitest';
import { TokenBucket } from '../../../src/server/token-bucket.js';
import { errorOf, eventually, post, user } from '../../contract/target.js';
import { EchoBackend } from '../../helpers/echo-backend.js';
import { startTestServer, type TestServer } from '../../helpers/test-server.js';

const servers: TestServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(settings: object) {
  const server = await startTestServer(new EchoBackend(), settings);
  servers.push(server);
  const ask = (key: string, body: object = {}) =>
    post(
      { url: server.url, model: 'echo' },
      '/v1/chat/completions',
      JSON.stringify({ model: 'echo', messages: user('hello'), ...body }),
      {
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      },
    );
  return { ask, server };
}

describe('a budget per minute', () => {
  it('refills steadily up to its size, and works off debts', () => {
    let now = 0;
    const bucket = new TokenBucket(60, () => now);
    bucket.take(90);
    expect(bucket.level).toBe(-30);
    expect(bucket.msUntil(1)).toBe(31_000);
    now = 31_000;
    expect(bucket.level).toBe(1);
    now = 600_000;
    expect(bucket.level).toBe(60);
    expect(bucket.msUntil(60)).toBe(0);
  });
});

describe('limits of an API key', () => {
  it('are told in headers, and hold for each key by itself', async () => {
    const { ask } = await serve({
      apiKeys: ['a', 'b'],
      rateLimits: { requestsPerMinute: 2, tokensPerMinute: 100_000 },
    });
    const first = await ask('a');
    expect(first.headers.get('x-ratelimit-limit-requests')).toBe('2');
    expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('1');
    expect(first.headers.get('x-ratelimit-reset-requests')).toMatch(/^(29|30)s$/);
    const { usage } = (await first.json()) as { usage: { total_tokens: number } };
    expect(Number(first.headers.get('x-ratelimit-remaining-tokens'))).toBeLessThanOrEqual(
      100_000 - usage.total_tokens + 100,
    );
    expect((await ask('a')).status).toBe(200);
    const refused = await errorOf(await ask('a', { stream: true }));
    expect(refused).toMatchObject({
      status: 429,
      error: { code: 'rate_limit_exceeded', type: 'rate_limit_error' },
    });
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(25);
    expect(refused.headers.get('x-should-retry')).toBe('true');
    expect((await ask('b')).status).toBe(200);
  });

  it('count the tokens of streams when they end', async () => {
    const { ask } = await serve({ rateLimits: { tokensPerMinute: 20 } });
    const stream = await ask('', { stream: true });
    expect(stream.headers.get('x-ratelimit-remaining-tokens')).toBe('20');
    expect(stream.headers.get('x-ratelimit-limit-requests')).toBeNull();
    await stream.text();
    await eventually(async () => (await ask('')).status === 429);
  });

  it('leave no header where there is no limit', async () => {
    const { ask } = await serve({});
    expect([...(await ask('')).headers.keys()].filter((name) => name.startsWith('x-ratelimit'))).toEqual([]);
  });
});
