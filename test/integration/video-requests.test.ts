/** Videos over HTTP: in all the forms that clients send, to a model that was trained on them and to one that was not. */

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { animation, hugePng } from '../helpers/awkward-images.js';
import { imageBytes, readVisionReference } from '../helpers/vision-fixture.js';
import {
  base64,
  dataUrl,
  film,
  fixtureFolders,
  picture,
  startVisionServer,
  type VisionServer,
  words,
} from '../helpers/vision-server.js';

let vision: VisionServer;
beforeAll(async () => {
  vision = await startVisionServer(fixtureFolders({ films: 'onevision', stills: 'siglip-llava' }));
});
afterAll(() => vision.close());

const frames = Array.from({ length: 5 }, (_, i) => imageBytes(`frame-${i}.jpg`));
const listed = (of: readonly Uint8Array[]) => film(`data:video/jpeg;base64,${of.map(base64).join(',')}`);
const list = (of: readonly Uint8Array[]) => ({
  type: 'video',
  video: of.map((frame) => dataUrl(frame, 'image/jpeg')),
});
const question = words('What happens?');

async function said(model: string, content: unknown, more: object = {}): Promise<string> {
  const { status, body } = await vision.ask(model, content, more);
  expect(status, JSON.stringify(body.error)).toBe(200);
  return body.choices[0].message.content;
}

describe('a model that was trained on videos', () => {
  const { cases } = readVisionReference('onevision');
  const first = cases.find(({ name }) => name === 'video first')!;

  it.each([
    ['frames in one data URL', listed(frames)],
    ['a list of frames', list(frames)],
  ])('should answer as the reference to %s', async (_, part) => {
    const { body } = await vision.ask('films', [part, question]);
    expect(body.choices[0].message.content).toBe(await vision.host.detokenize('films', first.greedy));
    expect(body.usage.prompt_tokens).toBe(first.ids.length);
    expect(body.usage.prompt_tokens_details.image_tokens).toBe(5 * 9 + 1);
    expect(body.usage.efficiency.visual_tokens).toMatchObject({ images: 1, views: 5, full_views: 5 });
  });

  it.each(['gif', 'webp'] as const)('should see an animated %s as its frames', async (format) => {
    const colors = ['#f00', '#0f0', '#00f'];
    const stills = await Promise.all(
      colors.map((background) =>
        sharp({ create: { width: 8, height: 8, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    );
    const moving = film(dataUrl(await animation(format, colors), `image/${format}`));
    const still = { type: 'video', video: stills.map((bytes) => dataUrl(bytes)) };
    expect(await said('films', [moving, question])).toBe(await said('films', [still, question]));
  });

  it('should look at evenly spaced frames of a long one', async () => {
    const many = Array.from({ length: 21 }, (_, i) => frames[i % 5]!);
    const six = [0, 4, 8, 12, 16, 20].map((i) => many[i]!);
    expect(await said('films', [listed(many), question])).toBe(await said('films', [listed(six), question]));
    const { body } = await vision.ask('films', [listed(many), question], {
      efficiency: { visual_budget: { max_frames: 2 } },
    });
    expect(body.usage.efficiency.visual_tokens).toMatchObject({
      views: 2,
      full_views: 6,
      encoded: 55,
      merged: 19,
    });
  });

  it('should merge each frame by itself', async () => {
    const { body } = await vision.ask('films', [listed(frames), question], {
      efficiency: { token_merging: { keep: 0.25 }, token_pruning: { start: 0, end: 1 } },
    });
    const { encoded, merged, mode } = body.usage.efficiency.visual_tokens;
    expect({ encoded, merged, mode }).toEqual({ encoded: 46, merged: 5 * 3 + 1, mode: 'compact' });
  });

  it('should find a video again', async () => {
    const content = [listed(frames), words('Again?')];
    await said('films', content);
    const { body } = await vision.ask('films', content);
    expect(body.usage.efficiency.visual_tokens.cached_images).toBe(1);
  });

  it('should not take a video token that a user spells for a video', async () => {
    const { body } = await vision.ask('films', [words('<video><video>'), listed(frames), question]);
    expect(body.usage.prompt_tokens_details.image_tokens).toBe(46);
  });
});

describe('a model that was trained on images', () => {
  it('should see a thumbnail and rows of all frames in the place of an image', async () => {
    const { body } = await vision.ask('stills', [words('Look: '), listed(frames), question]);
    expect(body.usage.prompt_tokens_details.image_tokens).toBe(16 + 5 * 16);
    expect(body.usage.efficiency.visual_tokens).toMatchObject({ images: 1, views: 6 });
  });

  it('should never have more rows than six images', async () => {
    const many = Array.from({ length: 6 }, (_, i) => frames[i % 5]!);
    const { body } = await vision.ask('stills', [listed(many), question]);
    expect(body.usage.prompt_tokens_details.image_tokens).toBe(6 * 16);
  });

  it('should see a single frame as the image that it is', async () => {
    const one = await said('stills', [listed(frames.slice(0, 1)), question]);
    expect(one).toBe(await said('stills', [picture(frames[0]!), question]));
  });

  it('should tell videos apart that differ in one frame only', async () => {
    const other = [...frames.slice(0, 3), frames[0]!, frames[4]!];
    expect(await said('stills', [listed(other), question])).not.toBe(
      await said('stills', [listed(frames), question]),
    );
  });

  it('should keep images and videos in their places', async () => {
    const { body } = await vision.ask('stills', [picture(frames[0]!), listed(frames.slice(0, 2)), question]);
    expect(body.usage.prompt_tokens_details.image_tokens).toBe(16 + 16 + 2 * 16);
  });
});

describe('what is no video', () => {
  const mp4 = Buffer.from('\0\0\0\x18ftypmp42\0\0\0\0mp42isom');
  const large = (side: number, count: number) =>
    animation(
      'gif',
      Array.from({ length: count }, (_, i) => `#${i % 10}f0`),
      side,
    );
  const bad: readonly (readonly [string, () => Promise<unknown> | unknown, RegExp, string])[] = [
    [
      'an MP4',
      () => film(dataUrl(mp4, 'video/mp4')),
      /video\/mp4 is not decoded here; send an animated GIF/,
      'video_url',
    ],
    [
      'an MP4 that says it is a GIF',
      () => film(dataUrl(mp4, 'image/gif')),
      /not an image in a format/,
      'video_url',
    ],
    ['an animated PNG', () => film(dataUrl(hugePng(8, 3))), /animated PNG/, 'video_url'],
    ['text', () => film('data:text/plain;base64,aGk='), /expected a data URL/, 'video_url'],
    ['nothing', () => film('data:video/jpeg;base64,'), /no bytes/, 'video_url'],
    [
      'a frame that is empty',
      () => film(`data:video/jpeg;base64,${base64(frames[0]!)},`),
      /no bytes/,
      'video_url[1]',
    ],
    [
      'a frame that is cut off',
      () => list([frames[0]!, frames[1]!.subarray(0, 300)]),
      /cut off|header/,
      'video[1]',
    ],
    [
      'a frame that moves',
      async () => list([frames[0]!, await animation('gif', ['#f00', '#0f0'])]),
      /animated/,
      'video[1]',
    ],
    [
      'too many pixels in all',
      () => large(400, 9).then((bytes) => film(dataUrl(bytes, 'image/gif'))),
      /the limit is 1000000 in all/,
      'video_url',
    ],
    [
      'too many frames',
      () => film(`data:video/jpeg;base64,${'AA,'.repeat(1100)}`),
      /more than 1024 frames/,
      'video_url',
    ],
  ];

  it.each(bad)('should be refused: %s', async (_, make, reason, place) => {
    const { status, body } = await vision.ask('films', [await make(), question]);
    expect({ status, code: body.error?.code, param: body.error?.param }).toEqual({
      status: 400,
      code: 'invalid_image',
      param: `messages[0].content[0].${place}`,
    });
    expect(body.error.message).toMatch(reason);
  });

  it.each([
    { type: 'video', video: [] },
    { type: 'video', video: [7] },
    { type: 'video' },
    { type: 'video_url', video_url: {} },
    { type: 'video_url', video_url: '' },
  ])('should be refused: %j', async (part) => {
    const { status, body } = await vision.ask('films', [part]);
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_request' });
    expect(body.error.param).toMatch(/^messages\[0\]\.content/);
  });

  it('should be refused by number', async () => {
    const { status, body } = await vision.ask('films', Array<unknown>(3).fill(listed(frames)));
    expect({ status, code: body.error.code }).toEqual({ status: 400, code: 'invalid_request' });
    expect(body.error.message).toMatch(/3 videos in one request, the limit is 2/);
  });
});
