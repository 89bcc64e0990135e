/** The whole in-thread engine on real graphs: what shares the batch, the cache or the memory changes nothing. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import { ByteTokenizer } from '../helpers/byte-tokenizer.js';
import { loadCheckpointFixture } from '../helpers/checkpoint-fixture.js';
import { ModelHarness, type ModelHarnessOptions, type Result } from '../helpers/engine-harness.js';
import { loadFixture } from '../helpers/fixture-model.js';
import { generateRequest, type RequestOverrides } from '../helpers/generate-request.js';

/** The tokens of each choice, read off their log-probabilities. */
function tokensOf({ choices, events }: Result): number[][] {
  const tokens = choices.map((): number[] => []);
  for (const event of events) {
    if (event.type === 'delta') tokens[event.choice]!.push(...(event.logprobs ?? []).map(({ id }) => id));
  }
  return tokens;
}

describe.each(['llama-gqa', 'qwen2-tied', 'qwen3', 'llama3-rope'])('%s', (name) => {
  const { cases } = loadCheckpointFixture(name);
  let model: LoadedModel;

  beforeAll(async () => {
    const { runner } = await loadFixture(name, { weights: 'fp32', activations: 'fp32' });
    model = {
      runner,
      // The prompts are token ids, and no text is looked at: any tokenizer will do.
      tokenizer: new ByteTokenizer(),
      eosTokenIds: [],
      info: { architecture: name, weights: 'fp32', fingerprint: name, inputModalities: ['text'] },
    };
  });
  afterAll(() => model.runner.close());

  const harness = (options: ModelHarnessOptions = {}) =>
    new ModelHarness(model, { kvTokens: 4096, ...options });
  const greedy = cases.map(({ prompt, greedy }): RequestOverrides => {
    return { prompt: { kind: 'tokens', ids: prompt }, topLogprobs: 0, stop: { maxTokens: greedy.length } };
  });
  const longest = Math.max(...cases.map(({ prompt, greedy }) => prompt.length + greedy.length));
  const expected = cases.map(({ greedy }) => [greedy]);
  const sampled = greedy.map((request, i): RequestOverrides => {
    return { ...request, n: 2, sampling: { temperature: 1, topP: 0.9, seed: i } };
  });

  async function together(options: ModelHarnessOptions, requests: readonly RequestOverrides[]) {
    const shared = harness(options);
    return (await Promise.all(requests.map((request) => shared.run(request)))).map(tokensOf);
  }

  async function oneByOne(requests: readonly RequestOverrides[]) {
    const tokens: number[][][] = [];
    for (const request of requests) tokens.push(tokensOf(await harness().run(request)));
    return tokens;
  }

  it('gives the greedy tokens of the reference to a batch', async () => {
    expect(await together({}, greedy)).toEqual(expected);
  });

  it('gives them in small chunks, in one lane, and with lanes swapped out for want of memory', async () => {
    expect(await together({ config: { prefillChunk: 16 } }, greedy)).toEqual(expected);
    expect(await together({ config: { maxLanes: 1 } }, greedy)).toEqual(expected);
    expect(await together({ kvTokens: 64 + longest }, greedy)).toEqual(expected);
  });

  it('gives them again from the prefix cache', async () => {
    const shared = harness({ prefixTokens: 4096 });
    let cachedTokens = 0;
    for (const request of [...greedy, ...greedy]) {
      const result = await shared.run(request);
      expect(expected).toContainEqual(tokensOf(result));
      cachedTokens += result.usage.cachedTokens;
    }
    expect(cachedTokens).toBeGreaterThan(0);
  });

  it('samples the same tokens in a batch as alone', async () => {
    expect(await together({}, sampled)).toEqual(await oneByOne(sampled));
  });

  it('gives the same tokens to those who stay when a neighbour leaves', async () => {
    const shared = harness();
    const staying = greedy.map((request) => shared.run(request));
    const leaving = sampled.map((request) => shared.submit(generateRequest(request)));
    while (shared.batches.length < 10) await new Promise(setImmediate);
    for (const { key } of leaving) shared.engine.cancel(key);
    expect((await Promise.all(staying)).map(tokensOf)).toEqual(expected);
    await shared.idle();
    expect(model.runner.cache.lanes).toBe(0);
  });
});
