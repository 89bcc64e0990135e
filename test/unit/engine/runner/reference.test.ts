import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadedFixture, Reference } from '../../../helpers/fixture-model.js';
import {
  argmax,
  fixtureNames,
  greedy,
  loadFixture,
  logitsOf,
  readReference,
  relativeError,
} from '../../../helpers/fixture-model.js';

describe.each(fixtureNames)('fp32 against transformers: %s', (name) => {
  let reference: Reference;
  let fixture: LoadedFixture;

  beforeAll(async () => {
    reference = readReference(name);
    fixture = await loadFixture(name, { weights: 'fp32', activations: 'fp32' });
  });
  afterAll(() => fixture.runner.close());

  const expectedRows = (index: number): Float32Array => {
    const { rows, logitsOffset } = reference.cases[index]!;
    return reference.logits.subarray(logitsOffset, logitsOffset + rows.length * reference.vocabSize);
  };

  it('should give the reference logits within 1e-4', async () => {
    for (const [i, { prompt, rows }] of reference.cases.entries()) {
      expect(relativeError(await logitsOf(fixture.runner, prompt, rows), expectedRows(i))).toBeLessThan(1e-4);
    }
  });

  it('should choose the 64 greedy tokens of the reference', async () => {
    for (const { prompt, greedy: expected } of reference.cases) {
      const logits = await logitsOf(fixture.runner, prompt, [prompt.length - 1]);
      expect(await greedy(fixture.runner, argmax(logits), expected.length)).toEqual(expected);
    }
  });

  it('should give the same logits in chunks of any size', async () => {
    const { prompt, rows } = reference.cases.at(-1)!;
    for (const chunk of [1, 3, 16]) {
      const chunked = await logitsOf(fixture.runner, prompt, rows, chunk);
      expect(relativeError(chunked, expectedRows(reference.cases.length - 1))).toBeLessThan(1e-4);
    }
  });
});
