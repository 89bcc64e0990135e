/** Whatever may come in place of an image, over HTTP: a 400 that says what is wrong, and others are not disturbed. */

import { cpSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI, { BadRequestError } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FetcherWorld } from '../../src/server/images/image-fetcher.js';
import { isPublicAddress } from '../../src/server/images/public-address.js';
import { animation, hugePng } from '../helpers/awkward-images.js';
import { fixtureFolder } from '../helpers/fixture-model.js';
import { suiteFolder } from '../helpers/suite-folder.js';
import { imageBytes, visionFixtureFolder } from '../helpers/vision-fixture.js';
import {
  dataUrl,
  fixtureFolders,
  link,
  picture,
  startVisionServer,
  type VisionServer,
  words,
} from '../helpers/vision-server.js';

/** An address that the tests declare public, and where a server of theirs listens all the same. */
const declaredPublic = '127.0.0.2';
let web: Server;
let webUrl: string;
let vision: VisionServer;

/** A checkpoint without eyes, with the tokenizer of one that has them. */
const textOnly = suiteFolder();
cpSync(fixtureFolder('llama-gqa'), textOnly, { recursive: true });
cpSync(`${visionFixtureFolder('siglip-llava')}/tokenizer.json`, `${textOnly}/tokenizer.json`);

beforeAll(async () => {
  web = createServer((incoming, response) => {
    const to = new URL(incoming.url!, 'http://web.test').searchParams.get('to');
    if (to !== null) response.writeHead(302, { location: to }).end();
    else response.writeHead(200, { 'content-type': 'image/png' }).write('x'); // and never an end
  });
  await new Promise<void>((resolve) => web.listen(0, declaredPublic, resolve));
  const { port } = web.address() as AddressInfo;
  webUrl = `http://web.test:${port}`;
  const outside: FetcherWorld = {
    resolve: async (host) => [{ address: host === 'web.test' ? declaredPublic : '127.0.0.1', family: 4 }],
    mayConnect: (address) => address === declaredPublic || isPublicAddress(address),
  };
  const settings = { remoteImages: { hosts: ['*', `*:${port}`], timeoutMs: 2000 } };
  const folders = { ...fixtureFolders({ sees: 'siglip-llava' }), reads: textOnly };
  vision = await startVisionServer(folders, { settings, outside });
});
afterAll(async () => {
  web.closeAllConnections();
  web.close();
  await vision.close();
});

const ask = (content: unknown, more: object = {}) => vision.ask('sees', content, more);
const body = (content: unknown) => ({ model: 'sees', messages: [{ role: 'user', content }] });

const script = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
const bomb = hugePng(30_000);
const colors = ['#f00', '#0f0'];
const files: readonly (readonly [string, () => Promise<Uint8Array> | Uint8Array, RegExp])[] = [
  ['text', () => Buffer.from('hello'), /not an image/],
  ['a signature and nothing more', () => imageBytes('dot.png').subarray(0, 8), /header/],
  ['a PNG that is cut off', () => imageBytes('alpha.png').subarray(0, 2000), /cut off|header/],
  ['a JPEG that is cut off', () => imageBytes('photo.jpg').subarray(0, 1200), /cut off|header/],
  ['an SVG with a script', () => script, /not an image/],
  ['a PDF', () => Buffer.from('%PDF-1.7\n'), /not an image/],
  ['an animated GIF', () => animation('gif', colors), /animated, with 2 frames/],
  ['an animated WebP', () => animation('webp', colors), /animated, with 2 frames/],
  ['an animated PNG', () => hugePng(8, 2), /animated PNG/],
  ['a PNG of 30,000 × 30,000 pixels', () => bomb, /30000 × 30000 pixels, the limit is 1000000/],
  [
    'a file over the limit',
    () => Buffer.concat([imageBytes('dot.png'), Buffer.alloc(200_000)]),
    /the limit is 200000/,
  ],
];

describe('a file that is no still image', () => {
  it.each(files)('should be refused, naming the part: %s', async (_, make, reason) => {
    const { status, body } = await ask([words('What is this?'), picture(await make())]);
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
  ])('should be refused as a data URL %s', async (_, url, reason) => {
    const { status, body } = await ask([link(url)]);
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_image' });
    expect(body.error.message).toMatch(reason);
  });

  it.each([{ url: 7 }, {}, 7, null, { url: '' }, { url: dataUrl(imageBytes('dot.png')), detail: 'ultra' }])(
    'should be refused as image_url %j',
    async (image_url) => {
      const { status, body } = await ask([{ type: 'image_url', image_url }]);
      expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_request' });
      expect(body.error.param).toMatch(/^messages\[0\]\.content/);
    },
  );
});

describe('too much', () => {
  it('should be a 400 for 300 images', async () => {
    const { status, body } = await ask(Array<unknown>(300).fill(picture(imageBytes('dot.png'))));
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_request' });
    expect(body.error.message).toMatch(/300 images in one request, the limit is 4/);
  });

  const fifty = `data:image/png;base64,${'A'.repeat(50e6)}`;

  it('should be a 400 for a data URL of 50 MB, which is not even kept', async () => {
    const before = process.memoryUsage().rss;
    const { status, body: reply } = await vision.post('/v1/chat/completions', body([link(fifty)]));
    expect({ status, code: reply.error.code }).toEqual({ status: 400, code: 'invalid_image' });
    expect(reply.error.message).toMatch(/data URL is longer than 29360128 bytes/);
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
  });

  it('should be a BadRequestError for those who use the openai package', async () => {
    const client = new OpenAI({ baseURL: `${vision.server.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const asked = client.chat.completions.create({
      model: 'sees',
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: fifty } }] }],
    });
    await expect(asked).rejects.toThrow(BadRequestError);
  });

  it('should be a 413 for a body that announces more than its limit, before it is read', async () => {
    const headers = { 'content-type': 'application/json', 'content-length': 80e6 };
    const status = await new Promise((resolve, reject) => {
      const url = `${vision.server.url}/v1/chat/completions`;
      const outgoing = request(url, { method: 'POST', headers }, (response) => {
        resolve(response.statusCode);
        outgoing.destroy();
      });
      outgoing.on('error', reject);
      outgoing.write('{"model":');
    });
    expect(status).toBe(413);
  });

  it('should be refused where images do not fit in the context, before they are decoded', async () => {
    const long = 'long '.repeat(250);
    const { status, body } = await ask([picture(imageBytes('photo.jpg')), words(long)]);
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'context_length_exceeded' });
  });
});

describe('the wrong model', () => {
  it('should be told that it reads text only', async () => {
    const { status, body } = await vision.ask('reads', [picture(imageBytes('dot.png'))]);
    expect({ status, code: body.error.code, param: body.error.param }).toEqual({
      status: 400,
      code: 'unsupported_parameter',
      param: 'messages[0].content[0].image_url',
    });
    expect(body.error.message).toMatch(/reads reads text only/);
  });
});

describe('efficiency.token_merging.keep', () => {
  it.each([
    [0, /expected > 0/],
    [2, /expected ≤ 1/],
    ['half', /expected number/],
    [null, /expected number/],
  ])('should not be %j', async (keep, reason) => {
    const content = [picture(imageBytes('photo.jpg'))];
    const { status, body } = await ask(content, { efficiency: { token_merging: { keep } } });
    expect({ status, code: body.error.code, param: body.error.param }).toEqual({
      status: 400,
      code: 'invalid_request',
      param: 'efficiency.token_merging.keep',
    });
    expect(body.error.message).toMatch(reason);
  });

  it('should not be NaN, which is no JSON', async () => {
    const text = JSON.stringify({ ...body('Hello'), efficiency: { token_merging: { keep: 7 } } });
    const { status, body: reply } = await vision.post('/v1/chat/completions', text.replace('7', 'NaN'));
    expect({ status, code: reply.error.code }).toEqual({ status: 400, code: 'invalid_json' });
  });
});

describe('a link', () => {
  const refused: readonly (readonly [string, () => string, RegExp])[] = [
    ['to loopback', () => 'http://127.0.0.1/a.png', /public internet/],
    ['to the metadata of a cloud', () => 'http://169.254.169.254/latest/meta-data', /public internet/],
    ['to a mapped address', () => 'http://[::ffff:127.0.0.1]/a.png', /public internet/],
    ['to a file', () => 'file:///etc/passwd', /http or https/],
    ['redirected to loopback', () => `${webUrl}/?to=http://127.0.0.1/`, /public internet|another host/],
    ['redirected to metadata', () => `${webUrl}/?to=http://169.254.169.254/`, /public internet|another host/],
    ['redirected to a mapped address', () => `${webUrl}/?to=http://[::ffff:127.0.0.1]/`, /public internet/],
    ['redirected to a file', () => `${webUrl}/?to=file:///etc/passwd`, /http or https/],
    ['to a host that resolves to loopback', () => 'http://inside.test/a.png', /public internet/],
    ['redirected to such a host', () => `${webUrl}/?to=http://inside.test/`, /another host/],
    ['to a server that never ends', () => `${webUrl}/drip.png`, /not fetched within 2000 ms/],
  ];

  it.each(refused)('should be refused %s', async (_, url, reason) => {
    const startedAt = performance.now();
    const { status, body } = await ask([link(url())]);
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_image' });
    expect(body.error.message).toMatch(reason);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  it('should be refused while nothing is fetched', async () => {
    const closed = await startVisionServer(fixtureFolders({ sees: 'siglip-llava' }));
    for (const url of ['http://127.0.0.1/', 'https://example.com/a.png', 'file:///etc/passwd']) {
      const { status, body } = await closed.ask('sees', [link(url)]);
      expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'unsupported_parameter' });
    }
    await closed.close();
  });
});

describe('others', () => {
  it('should be answered meanwhile', async () => {
    const good = () => ask([picture(imageBytes('tall.jpg')), words('What is this?')]);
    const alone = await good();
    const mixed = await Promise.all([
      good(),
      ...files.map(async ([, make]) => ask([picture(await make())])),
      ask([link(`${webUrl}/drip.png`)]),
      good(),
      ask('Hello'),
    ]);
    expect(mixed[0]!.body.choices).toEqual(alone.body.choices);
    expect(mixed.at(-2)!.body.choices).toEqual(alone.body.choices);
    expect(mixed.at(-1)!.status).toBe(200);
    expect(mixed.slice(1, -2).every(({ status }) => status === 400)).toBe(true);
  });

  it('should have their memory left by a decompression bomb', async () => {
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 5; i++) await ask([picture(bomb)]);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });
});
