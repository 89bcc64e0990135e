import { describe, expect, it } from 'vitest';
import { lowRankFeeds } from '../../../helpers/adapters.js';
import { fixtureNames, loadFixture, relativeError } from '../../../helpers/fixture-model.js';
import { feed, reset } from '../../../helpers/lanes.js';
import { readPlain } from '../../../helpers/plain-checkpoint.js';
import { plainForward } from '../../../helpers/plain-decoder.js';
import { seededTokens } from '../../../helpers/seeded.js';

const fp32 = { weights: 'fp32', activations: 'fp32' } as const;

describe.each(fixtureNames)('hidden states of %s', (name) => {
  it('should be those of the plain decoder: embeddings, input of every layer, normalised output', async () => {
    const { runner, model } = await loadFixture(name, fp32);
    const { layers } = model.config;
    const prompt = seededTokens(1, 11, runner.vocabSize);
    const expected = plainForward(model.config, readPlain(name), prompt);
    const opened = Array.from({ length: layers + 1 }, (_, layer) => layer);
    reset(runner, 1, 64);
    const result = await feed(runner, 0, [prompt], {
      variant: { lowRank: false, hiddenStates: opened },
      feeds: {},
    });
    for (const layer of opened) {
      const rows = Float32Array.from(expected.hidden[layer]!.flatMap((row) => [...row]));
      expect(relativeError(result.opened[`hidden.${layer}`]!, rows)).toBeLessThan(layer === 0 ? 1e-9 : 1e-4);
    }
    await runner.close();
  });

  it('should leave the logits as they are, and give them when the last one meets the head', async () => {
    const { runner, model } = await loadFixture(name, fp32);
    const { layers, hiddenSize, vocabSize, tieWordEmbeddings } = model.config;
    const prompt = seededTokens(2, 5, vocabSize);
    reset(runner, 1, 64);
    const plain = (await feed(runner, 0, [prompt])).logits;
    reset(runner, 1, 64);
    const variant = { lowRank: false, hiddenStates: [layers] };
    const { logits, opened } = await feed(runner, 0, [prompt], { variant, feeds: {} });
    expect(logits).toEqual(plain);
    const head = readPlain(name).tensors.get(
      tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight',
    )!.data;
    const last = opened[`hidden.${layers}`]!;
    const product = Float32Array.from({ length: plain.length }, (_, i) => {
      const [row, token] = [Math.floor(i / vocabSize), i % vocabSize];
      let total = 0;
      for (let k = 0; k < hiddenSize; k++)
        total += last[row * hiddenSize + k]! * head[token * hiddenSize + k]!;
      return total;
    });
    expect(relativeError(product, plain)).toBeLessThan(1e-5);
    await runner.close();
  });
});

it('should open together with low-rank inputs', async () => {
  const { runner, model } = await loadFixture('smollm-tied', fp32);
  const prompt = seededTokens(3, 4, runner.vocabSize);
  reset(runner, 1, 64);
  const plain = await feed(runner, 0, [prompt]);
  reset(runner, 1, 64);
  const both = await feed(runner, 0, [prompt], {
    variant: { lowRank: true, hiddenStates: [1] },
    feeds: lowRankFeeds(
      model.config,
      [],
      prompt.map(() => []),
      1,
    ),
  });
  expect(both.logits).toEqual(plain.logits);
  expect(both.opened['hidden.1']).toHaveLength(prompt.length * model.config.hiddenSize);
  await runner.close();
});
