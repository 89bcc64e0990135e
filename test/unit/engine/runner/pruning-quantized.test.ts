/** Pruning with the quantised kernels, against the plain decoder on the weights that they multiply with. */

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadFolder, relativeError } from '../../../helpers/fixture-model.js';
import { feed, reset } from '../../../helpers/lanes.js';
import { dequantized, writePlain } from '../../../helpers/plain-checkpoint.js';
import { roundedToInt8 } from '../../../helpers/plain-decoder.js';
import { plainPrunedForward } from '../../../helpers/plain-pruning.js';
import { randomQwen2 } from '../../../helpers/random-checkpoint.js';
import { seededTokens } from '../../../helpers/seeded.js';
import { suiteFolder } from '../../../helpers/suite-folder.js';

const shape = { layers: 8, hidden: 64, heads: 4, kvHeads: 2, intermediate: 96, vocab: 97, scale: 0.25 };
const schedule = { first: 3, end: 7 };
const bitsOf = { int4: 4, int8: 8 } as const;
const folder = suiteFolder();
const plain = randomQwen2(shape);
const checkpoint = writePlain(join(folder, 'random'), plain);

// One in which no activation lies on the edge between two roundings.
const prompt = seededTokens(3, 40, shape.vocab);
const following = seededTokens(2, 4, shape.vocab);
const visual = Array.from({ length: 26 }, (_, i) => 5 + i);

describe.each([
  ['int4', true],
  ['int4', false],
  ['int8', true],
  ['int8', false],
] as const)('%s, kernels of prompts for themselves: %s', (weights, promptKernels) => {
  it('keeps the tokens and gives the logits of its dequantised weights', async () => {
    const precision = { weights, activations: 'int8' } as const;
    const { runner, model } = await loadFolder(checkpoint, precision, folder, {
      promptGraph: promptKernels,
    });
    const config = { ...model.config, tieWordEmbeddings: false };
    const expected = [undefined, roundedToInt8].map((round) => {
      const tokens = [...prompt, ...following];
      const droppable = new Set(visual);
      return plainPrunedForward(config, dequantized(plain, bitsOf[weights]), tokens, 40, {
        droppable,
        layers: schedule,
        ...(round && { round }),
      });
    });
    const [exact, rounded] = expected as [(typeof expected)[0], (typeof expected)[0]];
    reset(runner, 1, 64);
    const logits = await runner.forward({
      firstLane: 0,
      lanes: 1,
      rows: 40,
      tokenIds: Int32Array.from(prompt),
      logitRows: Int32Array.of(39),
      pruning: {
        layers: schedule,
        droppable: Uint8Array.from(prompt, (_, i) => (visual.includes(i) ? 1 : 0)),
      },
    });
    const error = (actual: Float32Array, { logits }: typeof exact, row: number) =>
      relativeError(actual, Float32Array.from(logits[row]!));
    const reference = promptKernels ? exact : rounded;
    expect(error(logits, reference, 39)).toBeLessThan(1e-3);
    const kept = reference.entering.map((_, layer) => [...runner.cache.pruned(0)!.kept(layer)]);
    expect(kept).toEqual(reference.entering);
    // Steps always round activations, so behind a prompt that did not they agree with neither.
    for (const [i, token] of following.entries()) {
      const step = (await feed(runner, 0, [[token]])).logits;
      expect(error(step, reference, 40 + i)).toBeLessThan(promptKernels ? 0.2 : 1e-3);
    }
    await runner.close();
  });
});
