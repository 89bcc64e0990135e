/** Prompts that drop tokens between layers, beside everything else that the engine does. Runs the embedded model. */

import { copyFileSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { automaticDrafts, type EfficiencyOptions } from '../../src/core/efficiency.js';
import type { GenerateEvent, Prompt } from '../../src/core/messages.js';
import { closeModel, type LoadedModel } from '../../src/engine/loaded-model.js';
import {
  freeVerification,
  ModelHarness,
  type ModelHarnessOptions,
  type Result,
} from '../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides, userPrompt } from '../helpers/generate-request.js';
import { loadNano, nanoFolder, said, tokensOf } from '../helpers/nano-model.js';
import { suiteFolder } from '../helpers/suite-folder.js';
import { imagePart } from '../helpers/vision-fixture.js';

const pruned: EfficiencyOptions = { tokenPruning: { start: 0.5, end: 0.786 }, draftVerification: false };
const plain: EfficiencyOptions = { draftVerification: false };
const drafts = automaticDrafts;
const question = userPrompt('Look: ', imagePart('photo.jpg'), 'What is in the picture, and where is it?');
const text = userPrompt('Count from one to ten, please. One, two, three, four,');

let model: LoadedModel;
beforeAll(async () => {
  model = { ...(await loadNano()), stepTimings: freeVerification };
});
afterAll(() => closeModel(model));

const harnessOf = (options: ModelHarnessOptions = {}) => new ModelHarness(model, options);

function request(efficiency: EfficiencyOptions, more: RequestOverrides = {}) {
  return generateRequest({
    prompt: question,
    efficiency,
    topLogprobs: 2,
    stop: { maxTokens: 12, ignoreEos: true },
    ...more,
  });
}

const answer = (efficiency: EfficiencyOptions, more: RequestOverrides = {}, harness = harnessOf()) =>
  harness.submit(request(efficiency, more)).result;

/** Log-probabilities of the tokens, in order. */
const logprobsOf = ({ events }: Result): number[] =>
  events.flatMap((event) =>
    event.type === 'delta' ? event.logprobs!.map(({ logprob }) => logprob ?? Number.NaN) : [],
  );

const isDelta = (event: GenerateEvent): boolean => event.type === 'delta';

describe('a prompt that prunes', () => {
  it.each([16, 33, 64])('is answered the same in chunks of %i tokens', async (prefillChunk) => {
    const whole = await answer(pruned, {}, harnessOf({ config: { prefillChunk: 512 } }));
    const chunked = await answer(pruned, {}, harnessOf({ config: { prefillChunk } }));
    expect(tokensOf(chunked)).toEqual(tokensOf(whole));
    logprobsOf(chunked).forEach((value, i) => {
      expect(value).toBeCloseTo(logprobsOf(whole)[i]!, 4);
    });
    const layers = (result: Result) => result.usage.efficiency!.visualTokens!.perLayer;
    expect(layers(chunked)).toEqual(layers(whole));
  });

  it('lets others decode between its chunks, and between layers that all of it passes', async () => {
    const harness = harnessOf({ config: { prefillChunk: 16 } });
    const other = harness.submit(request(plain, { prompt: text, stop: { maxTokens: 60, ignoreEos: true } }));
    while (harness.eventsOf(other.key).filter(isDelta).length < 2) await new Promise(setImmediate);
    const before = harness.eventsOf(other.key).filter(isDelta).length;
    const seeing = harness.submit(request(pruned));
    while (harness.eventsOf(seeing.key).filter(isDelta).length === 0) await new Promise(setImmediate);
    const during = harness.eventsOf(other.key).filter(isDelta).length - before;
    const chunks = Math.ceil((await seeing.result).usage.promptTokens / 16);
    const upperLayers = 4;
    expect(during).toBeGreaterThanOrEqual(chunks + upperLayers - 1);
    await other.result;
  });

  it('gives up a lane that is cancelled between two chunks, and disturbs nobody', async () => {
    const expected = await answer(plain, { prompt: text });
    const harness = harnessOf({ config: { prefillChunk: 16 }, prefixTokens: 4096 });
    const seeing = harness.submit(request(pruned));
    while (harness.engine.counters.prefillChunks < 4) await new Promise(setImmediate);
    expect(model.runner.cache.pruned(0)?.waiting?.rows.length).toBeGreaterThan(0);
    const other = harness.submit(request(plain, { prompt: text }));
    harness.engine.cancel(seeing.key);
    expect(tokensOf(await other.result)).toEqual(tokensOf(expected));
    await harness.idle();
    expect(harness.eventsOf(seeing.key).filter(isDelta)).toEqual([]);
    expect(tokensOf(await answer(pruned, {}, harness))).toEqual(tokensOf(await answer(pruned)));
  });

  it('draws the tokens of every choice as they are drawn alone', async () => {
    const sampled = { sampling: { temperature: 1, seed: 11 } };
    const three = await answer(pruned, { ...sampled, n: 3 });
    const alone = await answer(pruned, sampled);
    expect(tokensOf(three)[0]).toEqual(tokensOf(alone)[0]);
    expect(new Set(tokensOf(three).map(String)).size).toBeGreaterThan(1);
    expect(tokensOf(await answer(pruned, { ...sampled, n: 3 }, harnessOf({ kvTokens: 500 })))).toEqual(
      tokensOf(three),
    );
  });

  it('reports the log-probabilities of what it computed', async () => {
    const { events } = await answer(pruned);
    const entries = events.flatMap((event) => (event.type === 'delta' ? event.logprobs! : []));
    expect(entries).toHaveLength(12);
    for (const { id, logprob, top } of entries) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top[0]).toMatchObject({ id, logprob });
    }
  });

  it('is swapped out and goes on where it was', async () => {
    const long = { stop: { maxTokens: 90, ignoreEos: true } };
    const counting = { stop: { maxTokens: 250, ignoreEos: true }, prompt: text };
    const expected = [await answer(plain, counting), await answer(pruned, long), await answer(plain, long)];
    const harness = harnessOf({ config: { prefillChunk: 16 }, kvTokens: 800 });
    const all = await Promise.all([
      answer(plain, counting, harness),
      answer(pruned, long, harness),
      answer(plain, long, harness),
      answer(pruned, long, harness),
    ]);
    const order = [0, 1, 2, 1];
    expect(all.map(tokensOf)).toEqual(order.map((index) => tokensOf(expected[index]!)));
    expect(harness.engine.counters.preemptions).toBeGreaterThan(0);
  });
});

describe('drafts behind a pruned prompt', () => {
  it.each([
    ['the right guess', (said: string) => said],
    ['half of it', (said: string) => said.slice(0, said.length / 2)],
    ['nonsense', () => 'zebra zebra zebra'],
  ])('change no token: %s', async (_, guess) => {
    const long = { stop: { maxTokens: 40, ignoreEos: true } };
    const expected = await answer(pruned, long);
    const prediction = guess(expected.choices[0]!.text);
    const drafted = await answer({ ...pruned, draftVerification: drafts }, { ...long, prediction });
    expect(tokensOf(drafted)).toEqual(tokensOf(expected));
    expect(drafted.usage.efficiency!.draftVerification!.draftedTokens).toBeGreaterThan(0);
  });

  it('are verified beside lanes that are not pruned', async () => {
    const long = { stop: { maxTokens: 30, ignoreEos: true } };
    const expected = [
      await answer(pruned, long),
      await answer(plain, long),
      await answer(plain, { ...long, prompt: text }),
    ];
    const harness = harnessOf();
    const withDrafts = [
      { ...pruned, draftVerification: drafts },
      { draftVerification: drafts },
      { draftVerification: drafts },
    ];
    const together = await Promise.all(
      withDrafts.map((efficiency, i) =>
        answer(
          efficiency,
          { ...long, prediction: expected[i]!.choices[0]!.text, ...(i === 2 && { prompt: text }) },
          harness,
        ),
      ),
    );
    expect(together.map(tokensOf)).toEqual(expected.map(tokensOf));
    const accepted = together.map(({ usage }) => usage.efficiency!.draftVerification!.acceptedTokens);
    expect(Math.min(...accepted)).toBeGreaterThan(0);
  });
});

describe('a prompt that is all image', () => {
  /** The embedded model with a template that says nothing but the images. */
  async function bare(): Promise<LoadedModel> {
    const folder = mkdtempSync(join(suiteFolder(), 'bare-'));
    for (const name of readdirSync(nanoFolder)) {
      if (name.includes('.')) copyFileSync(join(nanoFolder, name), join(folder, name));
    }
    const parts = "{% for part in message['content'] %}{{ '<image>' }}{% endfor %}";
    writeFileSync(join(folder, 'chat_template.jinja'), `{% for message in messages %}${parts}{% endfor %}`);
    return loadNano('fp32', folder);
  }

  it('prunes all of it but the last token, in chunks and with a second image as well', async () => {
    const only = await bare();
    const photo = imagePart('photo.jpg');
    for (const images of [[photo], [photo, imagePart('palette.png')]]) {
      const prompt: Prompt = userPrompt(...images);
      const tokens = 144 * images.length;
      const harness = new ModelHarness(only, { config: { prefillChunk: 32 }, prefixTokens: 4096 });
      const whole = await new ModelHarness(only, { config: { prefillChunk: 512 } }).submit(
        request(pruned, { prompt }),
      ).result;
      const chunked = await harness.submit(request(pruned, { prompt })).result;
      const again = await harness.submit(request(pruned, { prompt })).result;
      const perLayer = [tokens, tokens, tokens, tokens, tokens, Math.floor((tokens - 1) / 2) + 1, 1, 1];
      expect(whole.usage.efficiency!.visualTokens!.perLayer).toEqual(perLayer);
      expect([chunked, again].map(tokensOf)).toEqual([tokensOf(whole), tokensOf(whole)]);
      expect(again.usage.cachedTokens).toBe(tokens - 1);
    }
    await closeModel(only);
  });
});

describe.each(['int8', 'int4'] as const)('quantised to %s', (weights) => {
  it('gives a pruned prompt the same tokens in chunks, from the cache and beside others', async () => {
    const quantized = await loadNano(weights);
    const ask = (options: ModelHarnessOptions) => {
      const harness = new ModelHarness(quantized, options);
      return { harness, result: harness.submit(request(pruned)).result };
    };
    const expected = tokensOf(await ask({ config: { prefillChunk: 512 } }).result);
    const { harness, result } = ask({ config: { prefillChunk: 16 }, prefixTokens: 4096 });
    const beside = harness.submit(request(plain, { prompt: text })).result;
    expect(tokensOf(await result)).toEqual(expected);
    const again = await harness.submit(request(pruned)).result;
    expect(tokensOf(again)).toEqual(expected);
    expect(again.usage.cachedTokens).toBe(again.usage.promptTokens - 1);
    await beside;
    await closeModel(quantized);
  });
});

it('an engine that has pruned answers plain requests with the bits of one that has not', async () => {
  const harness = harnessOf();
  const before = await answer(plain, {}, harness);
  await answer(pruned, {}, harness);
  expect(said(await answer(plain, {}, harness))).toEqual(said(before));
});
