/** Merging and pruning of visual tokens from a request with images to its answer, usage and receipt. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EfficiencyOptions } from '../../src/core/efficiency.js';
import type { ImagePart } from '../../src/core/messages.js';
import { inspectImage } from '../../src/engine/inspect-image.js';
import { closeModel, type LoadedModel } from '../../src/engine/loaded-model.js';
import { chunkFlops, decodeFlops, headFlops, prunedFlops } from '../../src/engine/visual-tokens/flops.js';
import { mergeFlops } from '../../src/engine/visual-tokens/merge-groups.js';
import { ModelHarness, type ModelHarnessOptions, type Result } from '../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides, userPrompt } from '../helpers/generate-request.js';
import { imagePart, loadVisionModel } from '../helpers/vision-fixture.js';

/** Two layers: the first drops half of the visual tokens, or all of them. */
const half = { start: 0, end: 1 };
const all = { start: 0, end: 0.5 };
const quarter = { keep: 0.25, order: 'reference' } as const;

let model: LoadedModel;
beforeAll(async () => {
  model = await loadVisionModel('siglip-llava');
});
afterAll(() => closeModel(model));

const harnessOf = (options: ModelHarnessOptions = {}) => new ModelHarness(model, options);

const photo = () => imagePart('photo.jpg');
const look = userPrompt('Look at this: ', photo(), 'What is it?');

const request = (efficiency: EfficiencyOptions, more: RequestOverrides = {}) =>
  generateRequest({
    prompt: look,
    // Bits are compared here, and a token that is verified is rounded otherwise than one that is decoded.
    efficiency: { draftVerification: false, ...efficiency },
    topLogprobs: 3,
    stop: { maxTokens: 12, ignoreEos: true },
    ...more,
  });

const answer = (
  harness: ModelHarness<LoadedModel>,
  efficiency: EfficiencyOptions,
  more: RequestOverrides = {},
) => harness.submit(request(efficiency, more)).result;

/** All that a caller sees of the answer, log-probabilities included. */
const said = ({ events }: Result) =>
  events.filter((event) => event.type === 'delta' || event.type === 'finish');

describe('a request that keeps everything', () => {
  it('gives the bits of one that asks for nothing', async () => {
    const harness = harnessOf();
    const plain = await answer(harness, {});
    const kept = await answer(harness, { tokenMerging: { keep: 1, order: 'raster' }, tokenPruning: false });
    const late = await answer(harness, { tokenPruning: { start: 0.9, end: 1 } });
    expect(said(kept)).toEqual(said(plain));
    expect(said(late)).toEqual(said(plain));
    expect(plain.usage.efficiency?.visualTokens).toMatchObject({
      images: 1,
      encoded: 16,
      merged: 16,
      mode: 'dense',
    });
  });

  it('leaves requests without images alone, whatever they ask', async () => {
    const harness = harnessOf();
    const text = { prompt: userPrompt('Hello') };
    const asked = await answer(harness, { tokenMerging: quarter, tokenPruning: half }, text);
    expect(said(asked)).toEqual(said(await answer(harness, {}, text)));
    expect(asked.usage.efficiency).toBeUndefined();
  });
});

describe('merging', () => {
  it('shortens the prompt and says so', async () => {
    const harness = harnessOf();
    const plain = await answer(harness, {});
    const merged = await answer(harness, { tokenMerging: quarter });
    expect(merged.usage.promptTokens).toBe(plain.usage.promptTokens - 12);
    expect(merged.usage.efficiency?.visualTokens).toMatchObject({ encoded: 16, merged: 4 });
    const { executed, dense, overhead } = merged.usage.efficiency!.flops!;
    expect(dense).toBe(plain.usage.efficiency?.flops?.dense);
    expect(executed).toBeLessThan(dense);
    expect(overhead).toBe(mergeFlops(16, 32, 0.25));
  });

  it('encodes an image once for all ratios', async () => {
    const harness = harnessOf();
    await answer(harness, {});
    const merged = await answer(harness, { tokenMerging: { ...quarter, keep: 0.3 } });
    expect(merged.usage.efficiency?.visualTokens?.cachedImages).toBe(1);
  });

  it('gives another order the same tokens in other places', async () => {
    const harness = harnessOf();
    const merging = { keep: 0.6, order: 'reference' } as const;
    const reference = await answer(harness, { tokenMerging: merging });
    const raster = await answer(harness, { tokenMerging: { ...merging, order: 'raster' } });
    expect(raster.usage.promptTokens).toBe(reference.usage.promptTokens);
    expect(said(raster)).not.toEqual(said(reference));
  });
});

describe('pruning', () => {
  it('counts what it did in its receipt', async () => {
    const harness = harnessOf();
    const { usage } = await answer(harness, { tokenPruning: half });
    const { shape, cache } = model.runner;
    const length = usage.promptTokens;
    const { ids } = await harness.engine.tokenize(look, { addSpecialTokens: false });
    const first = ids.indexOf(model.vision!.imageTokenId);
    const { visualTokens, flops } = usage.efficiency!;
    const perLayer = [length, length - 8];
    expect(visualTokens).toMatchObject({
      images: 1,
      encoded: 16,
      merged: 16,
      perLayer,
      kvRows: 2 * length - 8,
      kvBytes: ((2 * length - 8) * cache.bytesPerToken) / 2,
      mode: 'compact',
    });
    const entering = perLayer.map((rows) => rows - first);
    const fixed = length - first - 16;
    const layers = { first: 0, end: 2 };
    const rest = prunedFlops(shape, { layers, before: [first, first], entering, fixed });
    const expected =
      chunkFlops(shape, first, 0) + rest.flops + headFlops(shape) + decodeFlops(shape, perLayer, 11);
    expect(flops?.executed).toBeCloseTo(expected, 3);
    expect(flops?.overhead).toBe(rest.scoring);
  });

  it('holds as many rows as it says', async () => {
    const rows: number[] = [];
    const { cache } = model.runner;
    const harness = harnessOf();
    const { key, result } = harness.submit(request({ tokenPruning: all }));
    while (harness.eventsOf(key).length < 3) await new Promise(setImmediate);
    for (const layer of [0, 1]) rows.push(cache.read(0, 0, cache.length(0)).pruned!.rows(layer, 1e6));
    const { perLayer } = (await result).usage.efficiency!.visualTokens!;
    expect(rows[0]! - rows[1]!).toBe(perLayer[0]! - perLayer[1]!);
    expect(perLayer[0]! - perLayer[1]!).toBe(16);
  });

  it.each([
    ['two images', userPrompt(photo(), ' and ', imagePart('palette.png'), ' differ?')],
    ['an image first', userPrompt(photo(), 'What is it?')],
    ['an image last', userPrompt('What is it?', photo())],
    ['five images', userPrompt(...Array.from({ length: 5 }, photo), 'Which?')],
  ])('takes %s', async (_, prompt) => {
    const harness = harnessOf();
    const { usage } = await answer(harness, { tokenMerging: quarter, tokenPruning: all }, { prompt });
    const { merged, perLayer } = usage.efficiency!.visualTokens!;
    expect(perLayer).toEqual([usage.promptTokens, usage.promptTokens - merged]);
  });

  it('answers several choices from one prompt', async () => {
    const harness = harnessOf();
    const sampled = { sampling: { temperature: 1, seed: 5 } };
    const three = await answer(harness, { tokenPruning: half }, { ...sampled, n: 3 });
    const one = await answer(harness, { tokenPruning: half }, sampled);
    expect(three.choices).toHaveLength(3);
    expect(three.choices[0]).toEqual({ ...one.choices[0]! });
  });

  it('refuses a prompt that would take too much memory at once, unless pruning was only the default', async () => {
    const config = { pruningBytes: 2 ** 20, efficiency: { token_pruning: half } as object };
    const harness = harnessOf({ config });
    const many = { prompt: userPrompt(...Array.from({ length: 12 }, photo), 'Which?') };
    await expect(answer(harness, { tokenPruning: half }, many)).rejects.toThrow(
      /^efficiency\.token_pruning: the /,
    );
    const { usage } = await answer(harness, {}, many);
    expect(usage.efficiency?.visualTokens?.mode).toBe('dense');
    expect((await answer(harness, {})).usage.efficiency?.visualTokens?.mode).toBe('compact');
  });
});

describe('requests with different plans', () => {
  const plans: readonly EfficiencyOptions[] = [
    {},
    { tokenMerging: quarter },
    { tokenPruning: half },
    { tokenMerging: quarter, tokenPruning: all },
    { tokenPruning: all },
  ];

  const tokensOf = ({ events }: Result) =>
    events.flatMap((event) => (event.type === 'delta' ? event.logprobs!.map(({ id }) => id) : []));

  async function alone(): Promise<number[][]> {
    const harness = harnessOf();
    const results: number[][] = [];
    for (const plan of plans) results.push(tokensOf(await answer(harness, plan, { cachePrompt: false })));
    return results;
  }

  it.each([
    ['side by side', {}],
    ['and too little memory for all of them', { kvTokens: 200 }],
    ['in small chunks', { config: { prefillChunk: 16 } }],
    ['with prefixes of each other at hand', { prefixTokens: 4096, config: { maxLanes: 1 } }],
  ])('give the tokens that each gives alone: %s', async (_, options) => {
    const expected = await alone();
    const harness = harnessOf(options);
    const results = await Promise.all(plans.map((plan) => answer(harness, plan)));
    expect(results.map(tokensOf)).toEqual(expected);
  });

  it('share the text before the images and nothing behind it', async () => {
    const harness = harnessOf({ prefixTokens: 4096 });
    const long = userPrompt(
      'You see a picture of something that somebody took with a camera. ',
      photo(),
      'What is it?',
    );
    const cached = async (plan: EfficiencyOptions) =>
      (await answer(harness, plan, { prompt: long })).usage.cachedTokens;
    expect(await cached({ tokenPruning: half })).toBe(0);
    const text = await cached({ tokenPruning: all });
    expect(text).toBeGreaterThan(0);
    // Those who do not prune share whole blocks only.
    const blocks = text - (text % 16);
    expect(await cached({})).toBe(blocks);
    expect(await cached({})).toBeGreaterThan(text + 16);
    expect(await cached({ tokenMerging: quarter })).toBe(blocks);
    expect(await cached({ tokenMerging: quarter, tokenPruning: half })).toBe(text);
  });
});

describe('an image that is inspected', () => {
  const image = imagePart('photo.jpg') as ImagePart;
  const plan = {
    tokenMerging: quarter,
    tokenPruning: half,
    visualBudget: undefined,
    draftVerification: undefined,
  };

  it('is drawn with what each layer saw of it', async () => {
    const { png, encoded, merged, perLayer } = await inspectImage(model, image, 'What is it?', plan);
    expect([...png.subarray(1, 4)]).toEqual([...Buffer.from('PNG')]);
    expect([encoded, merged]).toEqual([16, 4]);
    expect(perLayer[0]! - perLayer[1]!).toBe(2);
  });

  it('is merged to a share of what the prompt would have held, not of its tiles', async () => {
    const tiled = await loadVisionModel('onevision');
    const merging = { ...quarter, keep: 0.99 };
    const { encoded, merged } = await inspectImage(tiled, image, '', { ...plan, tokenMerging: merging });
    const tiles = 10;
    expect(merged).toBeLessThanOrEqual(Math.ceil(0.99 * encoded) + tiles);
    await closeModel(tiled);
  });
});
