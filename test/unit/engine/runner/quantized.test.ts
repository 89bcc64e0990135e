import { describe, expect, it } from 'vitest';
import {
  fixtureNames,
  loadFixture,
  loadFolder,
  logitsOf,
  readReference,
  relativeError,
} from '../../../helpers/fixture-model.js';
import {
  dequantized as dequantizedWeights,
  readPlain,
  writePlain,
} from '../../../helpers/plain-checkpoint.js';
import { plainForward, roundedToInt8 } from '../../../helpers/plain-decoder.js';
import { suiteFolder } from '../../../helpers/suite-folder.js';

const bitsOf = { int4: 4, int8: 8 } as const;
type Weights = keyof typeof bitsOf;

describe.each(fixtureNames)('%s', (name) => {
  describe.each<Weights>(['int4', 'int8'])('%s', (weights) => {
    const folder = suiteFolder();
    const dequantized = dequantizedWeights(readPlain(name), bitsOf[weights]);
    const { cases } = readReference(name);

    it('should give the logits of fp32 on its dequantised weights within 1e-3', async () => {
      const written = writePlain(folder, dequantized);
      const reference = await loadFolder(written, { weights: 'fp32', activations: 'fp32' });
      const quantized = await loadFixture(name, { weights, activations: 'fp32' });
      for (const { prompt, rows } of cases) {
        const expected = await logitsOf(reference.runner, prompt, rows);
        expect(relativeError(await logitsOf(quantized.runner, prompt, rows), expected)).toBeLessThan(1e-3);
      }
      await Promise.all([reference.runner.close(), quantized.runner.close()]);
    });

    // Long prompts run in a graph of their own, which multiplies in float32 and is not rounded at all.
    it('should differ by int8 activations, where it does, as rounding each block of 32 to ±127 does', async () => {
      const { runner, model } = await loadFixture(name, { weights, activations: 'int8' });
      const config = { ...model.config, tieWordEmbeddings: false };
      for (const { prompt, rows } of cases) {
        const actual = await logitsOf(runner, prompt, rows);
        const errors = [undefined, roundedToInt8].map((round) => {
          const { logits } = plainForward(config, dequantized, prompt, round);
          return relativeError(actual, Float32Array.from(rows.flatMap((row) => [...logits[row]!])));
        });
        expect(Math.min(...errors)).toBeLessThan(1e-4);
        expect(Math.max(...errors)).toBeLessThan(0.2);
      }
      await runner.close();
    });
  });
});
