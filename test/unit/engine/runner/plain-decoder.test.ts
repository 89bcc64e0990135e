import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../../src/engine/checkpoint/checkpoint.js';
import { readDecoderConfig } from '../../../../src/engine/checkpoint/decoder-config.js';
import { fixtureFolder, fixtureNames, readReference, relativeError } from '../../../helpers/fixture-model.js';
import { readPlain } from '../../../helpers/plain-checkpoint.js';
import { plainForward } from '../../../helpers/plain-decoder.js';

/** The yardstick of the other tests of this folder is itself measured against transformers. */
describe.each(fixtureNames)('the plain decoder of the tests: %s', (name) => {
  it('should give the logits of transformers within 1e-4', () => {
    const checkpoint = openCheckpoint(fixtureFolder(name));
    const config = readDecoderConfig(checkpoint);
    checkpoint.close();
    const { cases, logits, vocabSize } = readReference(name);
    for (const { prompt, rows, logitsOffset } of cases) {
      const result = plainForward(config, readPlain(name), prompt);
      const actual = Float32Array.from(rows.flatMap((row) => [...result.logits[row]!]));
      const expected = logits.subarray(logitsOffset, logitsOffset + rows.length * vocabSize);
      expect(relativeError(actual, expected)).toBeLessThan(1e-4);
    }
  });
});
