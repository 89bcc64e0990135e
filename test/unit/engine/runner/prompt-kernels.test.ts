import { expect, it } from 'vitest';
import { openCheckpoint } from '../../../../src/engine/checkpoint/checkpoint.js';
import { probeNames } from '../../../../src/engine/models/probe.js';
import { ModelRunner } from '../../../../src/engine/runner/model-runner.js';
import { floats, OrtSession } from '../../../../src/engine/runner/ort-session.js';
import { promptKernelsPay } from '../../../../src/engine/runner/prompt-kernels.js';
import { fixtureFolder, loadFixture, logitsOf, relativeError } from '../../../helpers/fixture-model.js';
import { seededFloats, seededTokens } from '../../../helpers/seeded.js';

const served = { weights: 'int4', activations: 'int8' } as const;

it('should time two kernels that compute the same up to the rounding of activations', async () => {
  const { model, runner } = await loadFixture('llama-gqa', served);
  const width = model.config.hiddenSize;
  const x = floats(seededFloats(1, 8 * width), [8, width]);
  const [rounded, exact] = await Promise.all(
    (['int8', 'fp32'] as const).map(async (activations) => {
      const session = await OrtSession.load(model.probePath(activations), 1);
      const results = await session.run({ [probeNames.input]: x }, { [probeNames.output]: null });
      await session.release();
      return results[probeNames.output]!.data as Float32Array;
    }),
  );
  expect(exact!.length).toBe(8 * 2 * model.config.intermediateSize);
  expect(relativeError(rounded!, exact!)).toBeLessThan(0.02);
  await runner.close();
});

it('should never hold full precision twice', async () => {
  const { model, runner } = await loadFixture('llama-gqa', { weights: 'fp32', activations: 'fp32' });
  expect(await promptKernelsPay(model, 1)).toBe(false);
  await runner.close();
});

it('should give a prompt the same logits whole and in chunks when one graph serves all', async () => {
  const { model, runner } = await loadFixture('llama-gqa', served);
  const checkpoint = openCheckpoint(fixtureFolder('llama-gqa'));
  const single = await ModelRunner.load(model, checkpoint, 1, { promptGraph: false });
  const tokens = seededTokens(3, 90, single.vocabSize);
  const whole = await logitsOf(single, tokens, [89]);
  for (const chunk of [1, 7, 32, 64]) {
    expect(relativeError(await logitsOf(single, tokens, [89], chunk), whole)).toBeLessThan(1e-4);
  }
  await Promise.all([runner.close(), single.close()]);
});
