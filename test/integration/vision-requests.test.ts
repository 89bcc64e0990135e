/** Requests with images over HTTP, to the real engine in its own thread. */

import { request } from 'node:http';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineConfigSchema } from '../../src/engine/config.js';
import { EngineHost } from '../../src/engine/host/engine-host.js';
import type { Reply } from '../contract/target.js';
import { suiteFolder } from '../helpers/suite-folder.js';
import { startTestServer, type TestServer } from '../helpers/test-server.js';
import { imageBytes, readVisionReference, visionFixtureFolder } from '../helpers/vision-fixture.js';

const cacheDir = suiteFolder();
const name = 'siglip-llava';
const images = { maxImages: 4, maxBytes: 200_000, maxPixels: 1_000_000, maxVideos: 2, maxFrames: 6, cacheBytes: 4_000_000 };
let host: EngineHost;
let server: TestServer;

beforeAll(async () => {
  const config = engineConfigSchema.parse({ images });
  const model = {
    id: 'sees',
    folder: visionFixtureFolder(name),
    weights: 'fp32',
    cacheDir,
    threads: 1,
    images,
  } as const;
  host = new EngineHost({ models: [model], config });
  await host.loaded();
  server = await startTestServer(host);
});
afterAll(async () => {
  await server.close();
  await host.close(0);
});

const dataUrl = (bytes: Uint8Array, type = 'image/png') =>
  `data:${type};base64,${Buffer.from(bytes).toString('base64')}`;
const picture = (bytes: Uint8Array) => ({ type: 'image_url', image_url: { url: dataUrl(bytes) } });
const text = (words: string) => ({ type: 'text', text: words });

async function post(path: string, body: object): Promise<{ status: number; body: Reply }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Reply };
}

function ask(content: unknown, more: object = {}) {
  const messages = [{ role: 'user', content }];
  return post('/v1/chat/completions', {
    model: 'sees',
    messages,
    max_tokens: 24,
    temperature: 0,
    ignore_eos: true,
    ...more,
  });
}

describe('answers', () => {
  it('should be those of the reference, and tell how many tokens the image took', async () => {
    const [first] = readVisionReference(name).cases;
    const content = [picture(imageBytes('photo.jpg')), text('What is this?')];
    const { status, body } = await ask(content, { skip_special_tokens: false });
    expect(status).toBe(200);
    expect(body.choices[0].message.content).toBe(await host.detokenize('sees', first!.greedy));
    expect(body.usage.prompt_tokens).toBe(first!.ids.length);
    expect(body.usage.prompt_tokens_details.image_tokens).toBe(16);
  });

  it('should take a plain string, and every detail', async () => {
    const url = dataUrl(imageBytes('photo.jpg'));
    const plain = await ask([{ type: 'image_url', image_url: url }, text('What is this?')]);
    for (const detail of ['auto', 'low', 'high']) {
      const { body } = await ask([{ type: 'image_url', image_url: { url, detail } }, text('What is this?')]);
      expect(body.choices[0].message).toEqual(plain.body.choices[0].message);
    }
  });

  it('should see several images apart, whatever the prefix cache holds', async () => {
    const show = (image: string) => ask([picture(imageBytes(image)), text('What is this?')]);
    const first = await show('photo.jpg');
    const second = await show('tall.jpg');
    const again = await show('photo.jpg');
    expect(second.body.choices[0].message).not.toEqual(first.body.choices[0].message);
    expect(again.body.choices[0].message).toEqual(first.body.choices[0].message);
    expect(second.body.usage.prompt_tokens_details.cached_tokens).toBeLessThanOrEqual(16);
  });

  it('should count the tokens of images in /tokenize', async () => {
    const [first] = readVisionReference(name).cases;
    const messages = [{ role: 'user', content: [picture(imageBytes('photo.jpg')), text('What is this?')] }];
    const { body } = await post('/tokenize', { model: 'sees', messages });
    expect(body.tokens).toEqual(first!.ids);
  });

  it('should say in /v1/models that the model sees', async () => {
    const model = (await (await fetch(`${server.url}/v1/models/sees`)).json()) as Reply;
    expect(model.architecture.input_modalities).toEqual(['text', 'image']);
  });

  it('should not take an image token that a user spells for an image', async () => {
    const { status, body } = await ask([text('<image><image>'), picture(imageBytes('photo.jpg')), text('?')]);
    expect(status).toBe(200);
    expect(body.usage.prompt_tokens_details.image_tokens).toBe(16);
  });
});

/** A PNG whose header says how large it is and whose body is short. */
function hugePng(side: number): Uint8Array {
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    checksum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, checksum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const pixels = deflateSync(Buffer.alloc(1 << 16));
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

async function animation(format: 'gif' | 'webp'): Promise<Uint8Array> {
  const frame = (background: string) => ({
    create: { width: 8, height: 8, channels: 3 as const, background },
  });
  return sharp([frame('#f00'), frame('#0f0')].map((input) => input) as never, { join: { animated: true } })
    [format]()
    .toBuffer();
}

const script = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
const bomb = hugePng(30_000);
const bad: readonly (readonly [string, () => Promise<Uint8Array> | Uint8Array, RegExp])[] = [
  ['text', () => Buffer.from('hello'), /not an image/],
  ['a signature and nothing more', () => imageBytes('dot.png').subarray(0, 8), /header/],
  ['a PNG that is cut off', () => imageBytes('alpha.png').subarray(0, 2000), /cut off|header/],
  ['a JPEG that is cut off', () => imageBytes('photo.jpg').subarray(0, 1200), /cut off|header/],
  ['an SVG with a script', () => script, /not an image/],
  ['a PDF', () => Buffer.from('%PDF-1.7\n'), /not an image/],
  ['an animated GIF', () => animation('gif'), /animated, with 2 frames/],
  ['an animated WebP', () => animation('webp'), /animated, with 2 frames/],
  ['a PNG of 30,000 × 30,000 pixels', () => bomb, /30000 × 30000 pixels, the limit is 1000000/],
  [
    'a file over the limit',
    () => Buffer.concat([imageBytes('dot.png'), Buffer.alloc(200_000)]),
    /the limit is 200000/,
  ],
];

describe('bad input', () => {
  it.each(bad)('should refuse %s, naming the part', async (_, make, reason) => {
    const { status, body } = await ask([text('What is this?'), picture(await make())]);
    expect({ status, code: body.error.code, param: body.error.param }).toEqual({
      status: 400,
      code: 'invalid_image',
      param: 'messages[0].content[1].image_url',
    });
    expect(body.error.message).toMatch(reason);
  });

  it.each([
    ['without anything', 'data:,', /data URL/],
    ['of another type', 'data:text/html;base64,aGk=', /data URL/],
    ['that is not base64', 'data:image/png,hello', /data URL/],
    ['without bytes', 'data:image/png;base64,', /no bytes/],
    ['of other characters', 'data:image/png;base64,%%%%', /base64/],
    ['of a million spaces', `data:image/png;base64,${' '.repeat(1e6)}!`, /base64/],
  ])('should refuse a data URL %s', async (_, url, reason) => {
    const { status, body } = await ask([{ type: 'image_url', image_url: { url } }]);
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_image' });
    expect(body.error.message).toMatch(reason);
  });

  it.each([{ url: 7 }, {}, 7, null, { url: '' }, { url: dataUrl(imageBytes('dot.png')), detail: 'ultra' }])(
    'should refuse image_url %j',
    async (image_url) => {
      const { status, body } = await ask([{ type: 'image_url', image_url }]);
      expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_request' });
      expect(body.error.param).toMatch(/^messages\[0\]\.content/);
    },
  );

  it('should refuse links while fetching is off', async () => {
    for (const url of ['http://127.0.0.1/', 'https://example.com/a.png', 'file:///etc/passwd']) {
      const { status, body } = await ask([{ type: 'image_url', image_url: { url } }]);
      expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'unsupported_parameter' });
    }
  });

  it('should refuse 300 images', async () => {
    const { status, body } = await ask(Array<unknown>(300).fill(picture(imageBytes('dot.png'))));
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_request' });
    expect(body.error.message).toMatch(/300 images in one request, the limit is 4/);
  });

  it('should refuse a body of 50 MB before it reads it', async () => {
    const headers = { 'content-type': 'application/json', 'content-length': 67e6 };
    const status = await new Promise((resolve, reject) => {
      const outgoing = request(
        `${server.url}/v1/chat/completions`,
        { method: 'POST', headers },
        (response) => {
          resolve(response.statusCode);
          outgoing.destroy();
        },
      );
      outgoing.on('error', reject);
      outgoing.write(
        '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":"data:image/png;base64,',
      );
    });
    expect(status).toBe(413);
  });

  it('should refuse images that do not fit in the context before it decodes them', async () => {
    const words = 'long '.repeat(250);
    const { status, body } = await ask([picture(imageBytes('photo.jpg')), text(words)]);
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'context_length_exceeded' });
  });

  it('should answer others meanwhile', async () => {
    const good = () => ask([picture(imageBytes('tall.jpg')), text('What is this?')]);
    const alone = await good();
    const mixed = await Promise.all([
      good(),
      ...bad.map(async ([, make]) => ask([picture(await make())])),
      good(),
      ask('Hello'),
    ]);
    expect(mixed[0]!.body.choices).toEqual(alone.body.choices);
    expect(mixed.at(-2)!.body.choices).toEqual(alone.body.choices);
    expect(mixed.at(-1)!.status).toBe(200);
    expect(mixed.slice(1, -2).every(({ status }) => status === 400)).toBe(true);
  });

  it('should stay within bounded memory on a decompression bomb', async () => {
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 5; i++) await ask([picture(bomb)]);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });
});
