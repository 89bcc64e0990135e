import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelRunner } from '../../../../src/engine/runner/model-runner.js';
import type { Adapter } from '../../../helpers/adapters.js';
import { lowRankFeeds, merged, randomAdapter } from '../../../helpers/adapters.js';
import type { LoadedFixture } from '../../../helpers/fixture-model.js';
import { loadFixture, loadFolder, relativeError } from '../../../helpers/fixture-model.js';
import { feed, reset } from '../../../helpers/lanes.js';
import { readPlain, writePlain } from '../../../helpers/plain-checkpoint.js';
import { seededTokens } from '../../../helpers/seeded.js';
import { suiteFolder } from '../../../helpers/suite-folder.js';

const variant = { lowRank: true, hiddenStates: [] };
const fp32 = { weights: 'fp32', activations: 'fp32' } as const;
const int4 = { weights: 'int4', activations: 'int8' } as const;

describe.each([fp32, int4])('idle low-rank inputs in $weights', (precision) => {
  it.each(['smollm-tied', 'llama-mha-bias', 'qwen3'])(
    'should change no bit of the logits: %s',
    async (name) => {
      const { runner, model } = await loadFixture(name, precision, { kernels: false });
      for (const length of [1, 6, 40]) {
        const prompt = seededTokens(length, length, runner.vocabSize);
        const run = async (adapters?: readonly Adapter[]) => {
          reset(runner, 1, 64);
          if (adapters === undefined) return (await feed(runner, 0, [prompt])).logits;
          const gates = prompt.map(() => adapters.map(() => 0));
          const feeds = lowRankFeeds(model.config, adapters, gates, 1);
          return (await feed(runner, 0, [prompt], { variant, feeds })).logits;
        };
        const plain = await run();
        expect(await run([])).toEqual(plain);
        expect(await run([randomAdapter(model.config, 4, 1)])).toEqual(plain);
      }
      await runner.close();
    },
  );
});

/** Group sizes 3, 1, 2 and 7; biases; norms of queries and keys; a head that is not tied. */
describe.each(['smollm-tied', 'llama-mha-bias', 'qwen3', 'qwen2-tied'])('adapters on %s', (name) => {
  const folder = suiteFolder();
  const scales = [0.7, 1.3];
  let fixture: LoadedFixture;
  let adapters: readonly Adapter[];
  let references: readonly ModelRunner[];

  beforeAll(async () => {
    fixture = await loadFixture(name, fp32);
    const { config } = fixture.model;
    adapters = [randomAdapter(config, 3, 1), randomAdapter(config, 8, 2)];
    const plain = readPlain(name);
    references = await Promise.all(
      adapters.map(async (adapter, i) => {
        const written = writePlain(`${folder}/${i}`, merged(plain, config, adapter, scales[i]!));
        return (await loadFolder(written, fp32)).runner;
      }),
    );
  });
  afterAll(() => Promise.all([fixture.runner, ...references].map((runner) => runner.close())));

  it('should equal the checkpoint into which each adapter was merged, within 1e-4', async () => {
    const { runner, model } = fixture;
    const prompt = seededTokens(5, 12, runner.vocabSize);
    for (const [i, adapter] of adapters.entries()) {
      reset(runner, 1, 64);
      reset(references[i]!, 1, 64);
      const gates = prompt.map(() => [scales[i]!]);
      const feeds = lowRankFeeds(model.config, [adapter], gates, 1);
      const { logits } = await feed(runner, 0, [prompt], { variant, feeds });
      const expected = (await feed(references[i]!, 0, [prompt])).logits;
      expect(relativeError(logits, expected)).toBeLessThan(1e-4);
    }
  });

  it('should serve each lane of a batch its own adapter, or none, and keep doing so over steps', async () => {
    const { runner, model } = fixture;
    const all = [...references, runner];
    const prompts = all.map((_, lane) => seededTokens(20 + lane, 9, runner.vocabSize));
    const gatesOf = (rows: number) =>
      all.flatMap((_, lane) =>
        Array.from({ length: rows }, () => adapters.map((_, i) => (i === lane ? scales[i]! : 0))),
      );
    const step = (tokens: readonly number[][]) => {
      const feeds = lowRankFeeds(model.config, adapters, gatesOf(tokens[0]!.length), all.length);
      return feed(runner, 0, tokens, { variant, feeds });
    };
    const next = all.map((_, lane) => seededTokens(30 + lane, 1, runner.vocabSize));
    reset(runner, all.length, 64);
    const together = [await step(prompts), await step(next)].map(({ logits }) => logits);
    for (const [lane, reference] of all.entries()) {
      reset(reference, 1, 64);
      for (const [i, tokens] of [prompts, next].entries()) {
        const expected = (await feed(reference, 0, [tokens[lane]!])).logits;
        const mine = together[i]!.subarray(lane * expected.length, (lane + 1) * expected.length);
        expect(relativeError(mine, expected)).toBeLessThan(1e-4);
      }
    }
  });
});
