import { describe, expect, it } from 'vitest';
import { readJson } from '../../../src/server/read-json.js';

const limits = { bodyLimitBytes: 1000, stringLimitBytes: 1000, bodyTimeoutMs: 50 };

function request(body: string | ReadableStream, headers: Record<string, string> = {}): Request {
  const type = { 'content-type': 'application/json' };
  return new Request('http://localhost/', {
    method: 'POST',
    body,
    headers: { ...type, ...headers },
    duplex: 'half',
  } as RequestInit);
}

function read(body: string | ReadableStream, headers?: Record<string, string>) {
  return readJson(request(body, headers), limits);
}

describe('readJson', () => {
  it('reads an object', async () => {
    expect(await read('{"a":"é"}')).toEqual({ a: 'é' });
  });

  it.each([
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/vnd.api+json',
  ])('takes content of type %s', async (type) => {
    expect(await read('{}', { 'content-type': type })).toEqual({});
  });

  it.each(['text/plain', 'application/jsonp', 'application/json; charset=utf-16', ''])(
    'refuses content of type "%s"',
    async (type) => {
      await expect(read('{}', { 'content-type': type })).rejects.toMatchObject({
        code: 'unsupported_media_type',
      });
    },
  );

  it('refuses compressed bodies, which could be far larger than they look', async () => {
    await expect(read('{}', { 'content-encoding': 'gzip' })).rejects.toMatchObject({
      code: 'unsupported_media_type',
    });
  });

  it('takes brackets within strings for what they are', async () => {
    const text = `{"a":"${'['.repeat(200)}\\"${'{'.repeat(200)}"}`;
    expect(await read(text)).toEqual({ a: `${'['.repeat(200)}"${'{'.repeat(200)}` });
  });

  it('takes 64 levels and refuses 65', async () => {
    const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    await expect(read(nested(64))).resolves.toBeDefined();
    await expect(read(nested(65))).rejects.toMatchObject({ code: 'invalid_json' });
  });

  it('refuses by the announced length before it reads', async () => {
    const announced = request('{}', { 'content-length': '1001' });
    await expect(readJson(announced, limits)).rejects.toMatchObject({ code: 'payload_too_large' });
  });

  it.each([
    ['a data URL', '{"url":"DATA:image/png;base64,', 'invalid_image'],
    ['a text', '{"text":"once upon a time', 'invalid_request'],
    ['a text that only mentions one', '{"data:":"once', 'invalid_request'],
  ])('refuses %s that never ends, at the limit of the body', async (_, start, code) => {
    let pulls = 0;
    const endless = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.from(start)),
      pull(controller) {
        pulls++;
        controller.enqueue(new Uint8Array(100).fill(65));
      },
    });
    const reading = readJson(request(endless), { ...limits, stringLimitBytes: 300 });
    await expect(reading).rejects.toMatchObject({ code });
    expect(pulls).toBeLessThan(15);
  });

  it('takes strings up to the limit, wherever chunks end', async () => {
    const body = Buffer.from(`{"a":"${'x'.repeat(40)}","b":"${'y'.repeat(40)}"}`);
    const bytewise = () =>
      new ReadableStream({
        start(controller) {
          for (const byte of body) controller.enqueue(Uint8Array.of(byte));
          controller.close();
        },
      });
    const strict = (stringLimitBytes: number) =>
      readJson(request(bytewise()), { ...limits, stringLimitBytes });
    await expect(strict(40)).resolves.toMatchObject({ b: 'y'.repeat(40) });
    await expect(strict(39)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('stops reading at the limit when no length is announced', async () => {
    let pulls = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulls++;
        controller.enqueue(new Uint8Array(100));
      },
    });
    await expect(read(endless)).rejects.toMatchObject({ code: 'payload_too_large' });
    expect(pulls).toBeLessThan(15);
  });

  it('gives up on a body that does not arrive in time', async () => {
    const stalled = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
    await expect(read(stalled)).rejects.toMatchObject({ code: 'request_timeout' });
  });

  it('tells a client that left from a broken body', async () => {
    const broken = new ReadableStream({ start: (controller) => controller.error(new Error('reset')) });
    await expect(read(broken)).rejects.toMatchObject({ code: 'client_closed_request' });
  });

  it('takes a key named __proto__ for data', async () => {
    const value = await read('{"__proto__":{"polluted":true}}');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.keys(value)).toEqual(['__proto__']);
  });
});
