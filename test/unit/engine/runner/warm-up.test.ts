import { expect, it, vi } from 'vitest';
import { warmUp } from '../../../../src/engine/runner/warm-up.js';
import { loadFixture, logitsOf } from '../../../helpers/fixture-model.js';
import { seededTokens } from '../../../helpers/seeded.js';

it('tells what steps cost, and leaves no trace', async () => {
  const { runner } = await loadFixture('llama-gqa', { weights: 'int4', activations: 'int8' });
  const prompt = seededTokens(1, 12, runner.vocabSize);
  const logits = () => logitsOf(runner, prompt, [0, 11], 3);
  const before = await logits();
  runner.cache.resize(0, 0);

  const forward = vi.spyOn(runner, 'forward');
  const timings = await warmUp(runner);
  expect(timings!.slice(0, 2).map(({ rows }) => rows)).toEqual([1, 2]);
  expect(timings!.every(({ ms }) => ms > 0)).toBe(true);
  expect(forward.mock.calls.length).toBeGreaterThan(4);
  expect(runner.cache.lanes).toBe(0);

  expect(await logits()).toEqual(before);
  await runner.close();
});
