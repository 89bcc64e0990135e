/** What a second question about an image need not compute, and what it must. Runs the embedded model. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EfficiencyOptions } from '../../src/core/efficiency.js';
import type { Prompt } from '../../src/core/messages.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import { ModelHarness, type Result } from '../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides } from '../helpers/generate-request.js';
import { closeModel, loadNano, said, userPrompt } from '../helpers/nano-model.js';
import { imagePart } from '../helpers/vision-fixture.js';

/** Chunks end where blocks of the cache end, so that both compute the same products. */
const config = { prefillChunk: 16 };
const quarter = { keep: 0.25, order: 'reference' } as const;
const pruning = { start: 0.5, end: 0.786 };

let model: LoadedModel;
beforeAll(async () => {
  model = await loadNano();
});
afterAll(() => closeModel(model));

const harnessOf = (prefixTokens = 4096) => new ModelHarness(model, { config, prefixTokens });
const about = (image: string, question: string): Prompt =>
  userPrompt('Look at this picture: ', imagePart(image), question);

type Harness = ReturnType<typeof harnessOf>;

const ask = (harness: Harness, efficiency: EfficiencyOptions, prompt: Prompt, more: RequestOverrides = {}) =>
  harness.submit(
    generateRequest({
      prompt,
      efficiency: { draftVerification: false, ...efficiency },
      topLogprobs: 3,
      stop: { maxTokens: 8, ignoreEos: true },
      ...more,
    }),
  ).result;

const first = about('photo.jpg', 'What is it?');
const second = about('photo.jpg', 'Which colour is the thing in the middle, and how many are there?');
const lowerCached = ({ usage }: Result) => usage.efficiency!.visualTokens!.lowerCached;
const executed = ({ usage }: Result) => usage.efficiency!.flops!.executed;

describe.each<[string, EfficiencyOptions, number]>([
  ['whole', {}, 144],
  ['merged', { tokenMerging: quarter }, 36],
])('a second question about a %s image', (_, efficiency, imageTokens) => {
  it('reuses the image, and is answered bit for bit as without a cache', async () => {
    const cold = await ask(harnessOf(0), efficiency, second);
    const harness = harnessOf();
    await ask(harness, efficiency, first);
    const warm = await ask(harness, efficiency, second);
    expect(said(warm)).toEqual(said(cold));
    expect(cold.usage.cachedTokens).toBe(0);
    expect(warm.usage.cachedTokens).toBeGreaterThanOrEqual(imageTokens);
    expect(warm.usage.cachedTokens).toBeLessThan(warm.usage.promptTokens);
    expect(executed(warm)).toBeLessThan(executed(cold));
  });

  it('reuses nothing of another image of the same size', async () => {
    const other = about('palette.png', 'What is it?');
    const harness = harnessOf();
    await ask(harness, efficiency, other);
    const warm = await ask(harness, efficiency, first);
    expect(warm.usage.cachedTokens).toBeLessThanOrEqual(16);
    expect(said(warm)).toEqual(said(await ask(harnessOf(0), efficiency, first)));
  });

  it('reuses it only among those who know the salt, and only if asked to cache', async () => {
    const harness = harnessOf();
    await ask(harness, efficiency, first, { cacheSalt: 'mine' });
    for (const more of [{}, { cacheSalt: 'yours' }, { cacheSalt: 'mine', cachePrompt: false }]) {
      expect((await ask(harness, efficiency, second, more)).usage.cachedTokens).toBe(0);
    }
    const mine = await ask(harness, efficiency, second, { cacheSalt: 'mine' });
    expect(mine.usage.cachedTokens).toBeGreaterThanOrEqual(imageTokens);
  });

  it('reuses it in the next turn of the conversation, with the answer', async () => {
    const harness = harnessOf();
    const { choices, usage } = await ask(harness, efficiency, first);
    const { messages } = first as Extract<Prompt, { kind: 'chat' }>;
    const next: Prompt = {
      ...(first as Extract<Prompt, { kind: 'chat' }>),
      messages: [
        ...messages,
        { role: 'assistant', content: choices[0]!.text },
        { role: 'user', content: 'And now?' },
      ],
    };
    const warm = await ask(harness, efficiency, next);
    expect(warm.usage.cachedTokens).toBeGreaterThan(usage.promptTokens - 16);
    expect(said(warm)).toEqual(said(await ask(harnessOf(0), efficiency, next)));
  });
});

it('an image that is merged otherwise is another image', async () => {
  const harness = harnessOf();
  await ask(harness, { tokenMerging: quarter }, first);
  for (const tokenMerging of [
    { ...quarter, keep: 0.26 },
    { ...quarter, keep: 0.3, order: 'raster' },
    { ...quarter, keep: 1 },
  ] as const) {
    expect((await ask(harness, { tokenMerging }, second)).usage.cachedTokens).toBeLessThanOrEqual(16);
  }
});

describe('a second question about an image that is pruned', () => {
  const pruned = { tokenPruning: pruning };

  it('reuses the layers below, and is answered bit for bit as without a cache', async () => {
    const cold = await ask(harnessOf(0), pruned, second);
    const harness = harnessOf();
    const opening = await ask(harness, pruned, first);
    const warm = await ask(harness, pruned, second);
    expect(said(warm)).toEqual(said(cold));
    expect([lowerCached(opening), lowerCached(cold)]).toEqual([0, 0]);
    expect(lowerCached(warm)).toBeGreaterThanOrEqual(144);
    expect(warm.usage.cachedTokens).toBeLessThan(warm.usage.promptTokens - 144);
    expect(executed(warm)).toBeLessThan(executed(cold));
    const { perLayer, kvRows } = cold.usage.efficiency!.visualTokens!;
    expect(warm.usage.efficiency!.visualTokens).toMatchObject({ perLayer, kvRows, mode: 'compact' });
  });

  it('computes what the same question kept in the layers above anew', async () => {
    const harness = harnessOf();
    const once = await ask(harness, pruned, first);
    const again = await ask(harness, pruned, first);
    expect(said(again)).toEqual(said(once));
    const { promptTokens, cachedTokens } = again.usage;
    expect(lowerCached(again)).toBeGreaterThan(promptTokens - cachedTokens - 16);
  });

  it('may stop pruning at another layer, but must begin at the same one', async () => {
    const harness = harnessOf();
    await ask(harness, pruned, first);
    const ends = await ask(harness, { tokenPruning: { start: 0.5, end: 1 } }, second);
    expect(lowerCached(ends)).toBeGreaterThanOrEqual(144);
    expect(said(ends)).toEqual(
      said(await ask(harnessOf(0), { tokenPruning: { start: 0.5, end: 1 } }, second)),
    );
    const begins = await ask(harness, { tokenPruning: { start: 0.25, end: 0.786 } }, second);
    expect([lowerCached(begins), begins.usage.cachedTokens <= 16]).toEqual([0, true]);
  });

  it('shares nothing of the image with those who do not prune, merge otherwise, or show another one', async () => {
    const harness = harnessOf();
    await ask(harness, pruned, first);
    expect((await ask(harness, {}, second)).usage.cachedTokens).toBeLessThanOrEqual(16);
    expect(lowerCached(await ask(harness, { ...pruned, tokenMerging: quarter }, second))).toBe(0);
    expect(lowerCached(await ask(harness, pruned, about('palette.png', 'What is it?')))).toBe(0);
    await ask(harness, {}, first);
    expect(lowerCached(await ask(harness, { tokenPruning: { start: 0.25, end: 1 } }, first))).toBe(0);
  });

  it('stays within the bytes of the cache', async () => {
    const harness = harnessOf(64);
    for (const prompt of [first, second, first]) await ask(harness, pruned, prompt);
    const bytes = 64 * model.runner.cache.bytesPerToken;
    expect(harness.engine.stats().prefixCacheBytes).toBeLessThanOrEqual(bytes);
    expect(said(await ask(harness, pruned, second))).toEqual(said(await ask(harnessOf(0), pruned, second)));
  });
});
