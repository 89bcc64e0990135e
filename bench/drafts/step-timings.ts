/** What the steps of one lane cost by their rows, in short and long contexts, for drafts that are chains. */

import type { StepTiming } from '../../src/decoding/speculative/cost-model.js';
import type { ModelRunner } from '../../src/engine/runner/model-runner.js';
import { fillCache, timeStep } from '../bench-runner.js';

const widths = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
const unmeasured = 2;
const repeats = 3;

/** As the engine's own measurement sees it, but for all widths. */
export async function stepTimings(runner: ModelRunner): Promise<StepTiming[]> {
  const timings: StepTiming[] = [];
  for (const [context, of] of [
    [64, widths],
    [512, [1, 8]],
  ] as const) {
    fillCache(runner, 1, context, Math.max(...widths));
    for (const rows of of) timings.push({ rows, context, ms: await leastMs(runner, rows) });
  }
  return timings;
}

async function leastMs(runner: ModelRunner, rows: number): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < unmeasured + repeats; run++) times.push(await timeStep(runner, 1, rows));
  return Math.min(...times.slice(unmeasured));
}
