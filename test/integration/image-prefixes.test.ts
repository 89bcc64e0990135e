/** What a second question about an image need not compute, and what it must. Runs the embedded model. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { automaticDrafts, type EfficiencyOptions } from '../../src/core/efficiency.js';
import type { ChatMessage, ContentPart, Prompt } from '../../src/core/messages.js';
import { argmax } from '../../src/decoding/argmax.js';
import { closeModel, type LoadedModel } from '../../src/engine/loaded-model.js';
import { embeddedRows } from '../../src/engine/sequence/image-span.js';
import { planBehind } from '../../src/engine/sequence/pruning-plan.js';
import { PromptReader } from '../../src/engine/worker/prompt-reader.js';
import { ModelHarness, type Result } from '../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides, userPrompt } from '../helpers/generate-request.js';
import { loadNano, said, tokensOf } from '../helpers/nano-model.js';
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

  it('computes only the last token of the same question', async () => {
    const harness = harnessOf();
    const once = await ask(harness, pruned, first);
    const again = await ask(harness, pruned, first);
    expect(tokensOf(again)).toEqual(tokensOf(once));
    const { promptTokens, cachedTokens } = again.usage;
    expect([cachedTokens, lowerCached(again)]).toEqual([promptTokens - 1, 0]);
    const { perLayer, kvRows } = once.usage.efficiency!.visualTokens!;
    expect(again.usage.efficiency!.visualTokens).toMatchObject({ perLayer, kvRows, mode: 'compact' });
    const otherwise = await ask(harness, { tokenPruning: { start: 0.5, end: 1 } }, first);
    expect(otherwise.usage.cachedTokens).toBeLessThanOrEqual(32);
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

describe('the next turn behind a pruned prompt', () => {
  const pruned = { tokenPruning: pruning };
  const layers = { first: 4, end: 6 };
  const drafts = automaticDrafts;
  type Chat = Extract<Prompt, { kind: 'chat' }>;

  const follow = (before: Prompt, said: string, ...content: readonly ContentPart[]): Chat => {
    const answered: ChatMessage[] = [
      { role: 'assistant', content: said },
      { role: 'user', content },
    ];
    return { ...(before as Chat), messages: [...(before as Chat).messages, ...answered] };
  };

  const question: ContentPart = { type: 'text', text: 'And what is left of it?' };

  /** What each prompt adds to the one before is run alone, behind what that one left. */
  async function turnByTurn(prompts: readonly Prompt[]): Promise<number[]> {
    const { runner, tokenizer, vision } = model;
    runner.cache.resize(0, 0);
    runner.cache.resize(1, 600);
    let logits: Float32Array = new Float32Array(0);
    const run = async (
      ids: readonly number[],
      to: number,
      images: Parameters<typeof embeddedRows>[0],
      more = {},
    ) => {
      const from = runner.cache.length(0);
      if (to === from) return;
      logits = await runner.forward({
        firstLane: 0,
        lanes: 1,
        rows: to - from,
        tokenIds: Int32Array.from(ids.slice(from, to)),
        logitRows: Int32Array.of(to - from - 1),
        embedded: embeddedRows(images, from, to - from),
        ...more,
      });
    };
    for (const prompt of prompts) {
      const seen = await new PromptReader(tokenizer, vision).see(prompt, {
        maxTokens: 2000,
        check: () => {},
        isCancelled: () => false,
      });
      const { ids, images = [] } = seen!;
      const sizes = { layerCount: 8, layers, promptLength: ids.length, spans: images };
      const plan = planBehind(runner.cache.pruned(0), sizes);
      await run(ids, plan.first, images);
      if (plan.droppable.length > 0) await run(ids, ids.length, images, { pruning: plan });
    }
    const tokens: number[] = [];
    while (tokens.length < 8) {
      tokens.push(argmax(logits));
      await run([...Array(runner.cache.length(0)).fill(0), tokens.at(-1)!], runner.cache.length(0) + 1, []);
    }
    runner.cache.resize(0, 0);
    return tokens;
  }

  it('goes on behind the tokens that are left, and says so', async () => {
    const harness = harnessOf();
    const opening = await ask(harness, pruned, first);
    const next = follow(first, opening.choices[0]!.text, question);
    const warm = await ask(harness, pruned, next);
    const receipt = warm.usage.efficiency!.visualTokens!;
    expect(receipt.mode).toBe('frozen');
    expect(warm.usage.cachedTokens).toBeGreaterThanOrEqual(opening.usage.promptTokens);
    const dropped = opening.usage.efficiency!.visualTokens!.perLayer.map(
      (rows) => opening.usage.promptTokens - rows,
    );
    expect(receipt.perLayer).toEqual(dropped.map((rows) => warm.usage.promptTokens - rows));
    expect(tokensOf(warm)[0]).toEqual(await turnByTurn([first, next]));
    const third = follow(next, warm.choices[0]!.text, question);
    const later = await ask(harness, pruned, third);
    expect(later.usage.cachedTokens).toBeGreaterThanOrEqual(warm.usage.promptTokens - 16);
    expect(later.usage.efficiency!.visualTokens!.mode).toBe('frozen');
  });

  it('prunes the image that it brings, and leaves the one before as it is', async () => {
    const harness = harnessOf();
    const opening = await ask(harness, pruned, first);
    const next = follow(first, opening.choices[0]!.text, imagePart('palette.png'), question);
    const warm = await ask(harness, pruned, next);
    const { perLayer, mode, lowerCached: lower } = warm.usage.efficiency!.visualTokens!;
    expect([mode, lower]).toEqual(['frozen', 0]);
    const all = warm.usage.promptTokens;
    expect(perLayer).toEqual([all, all, all, all, all, all - 144, all - 288, all - 288]);
    expect(tokensOf(warm)[0]).toEqual(await turnByTurn([first, next]));
    const again = await ask(harness, pruned, next);
    expect(tokensOf(again)).toEqual(tokensOf(warm));
    expect(again.usage.cachedTokens).toBe(all - 1);
    expect(again.usage.efficiency!.visualTokens!.mode).toBe('frozen');
  });

  it('is computed as any prompt if nothing is known, if it prunes otherwise, and if it may not use the cache', async () => {
    const harness = harnessOf();
    const opening = await ask(harness, pruned, first);
    const next = follow(first, opening.choices[0]!.text, question);
    const cold = await ask(harnessOf(0), pruned, next);
    expect(cold.usage.efficiency!.visualTokens!.mode).toBe('compact');
    const private_ = await ask(harness, pruned, next, { cachePrompt: false });
    expect(tokensOf(private_)).toEqual(tokensOf(cold));
    for (const [efficiency, more] of [
      [{ tokenPruning: { start: 0.5, end: 1 } }, {}],
      [{ tokenPruning: { start: 0.25, end: 0.786 } }, {}],
      [pruned, { cacheSalt: 'yours' }],
    ] as const) {
      const { usage } = await ask(harness, efficiency, next, more);
      expect(usage.efficiency!.visualTokens!.mode).toBe('compact');
      expect(usage.cachedTokens).toBeLessThanOrEqual(32);
    }
    expect((await ask(harness, {}, next)).usage.efficiency!.visualTokens!.mode).toBe('dense');
  });

  it('may sit in a lane beside others, be drafted for, and make room', async () => {
    const opening = await ask(harnessOf(), pruned, first);
    const next = follow(first, opening.choices[0]!.text, question);
    const expected = await turnByTurn([first, next]);
    const harness = new ModelHarness(model, { config, prefixTokens: 4096, kvTokens: 800 });
    await ask(harness, pruned, first);
    const [frozen, plain, drafted] = await Promise.all([
      ask(harness, pruned, next),
      ask(harness, {}, second, { stop: { maxTokens: 90, ignoreEos: true } }),
      ask(harness, { ...pruned, draftVerification: drafts }, next, { n: 2 }),
    ]);
    expect(tokensOf(frozen)[0]).toEqual(expected);
    expect(tokensOf(drafted)).toEqual([expected, expected]);
    expect(tokensOf(plain)[0]).toHaveLength(90);
  });
});
