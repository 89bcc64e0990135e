/** Single steps of a runner over chosen lanes. */

import type { ModelRunner, StepExtras, StepResult } from '../../src/engine/runner/model-runner.js';

/** Runs new tokens, the same number for each lane, and returns the logits of every one of them (a copy). */
export async function feed(
  runner: ModelRunner,
  firstLane: number,
  tokensPerLane: readonly (readonly number[])[],
  extras?: StepExtras,
): Promise<StepResult> {
  const lanes = tokensPerLane.length;
  const rows = tokensPerLane[0]!.length;
  const tokenIds = Int32Array.from(tokensPerLane.flat());
  const logitRows = Int32Array.from({ length: lanes * rows }, (_, i) => i);
  const request = { firstLane, lanes, rows, tokenIds, logitRows };
  const { logits, opened } = await runner.step(request, extras);
  return { logits: logits.slice(), opened };
}

/** Empties the cache and makes room. */
export function reset(runner: ModelRunner, lanes: number, capacity: number): void {
  runner.cache.resize(0, 0);
  runner.cache.resize(lanes, capacity);
}

/** Logits of the last token that was fed. */
export const lastRow = (runner: ModelRunner, logits: Float32Array): Float32Array =>
  logits.subarray(logits.length - runner.vocabSize);
