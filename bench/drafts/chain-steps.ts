/** Steps that verify a chain of drafted tokens in each lane, and how long they take. */

import type { StepTiming } from '../../src/decoding/speculative/cost-model.js';
import type { Runner } from '../../src/engine/runner/runner.js';

export const chainWidths = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
const unmeasured = 2;

/** So many lanes with so many tokens in each. */
export async function fillLanes(runner: Runner, lanes: number, cached: number): Promise<void> {
  const { cache } = runner;
  cache.resize(0, 0);
  cache.resize(lanes, cached + Math.max(...chainWidths));
  const tokenIds = Int32Array.from({ length: cached }, (_, i) => (i * 31) % (runner.vocabSize - 1));
  await runner.forward({ firstLane: 0, lanes: 1, rows: cached, tokenIds, logitRows: Int32Array.of() });
  for (let lane = 1; lane < lanes; lane++) cache.append(lane, cache.read(0, 0, cached));
}

/** Milliseconds of `repeats` steps of `rows` in each of the lanes that were filled. */
export async function chainStepMs(
  runner: Runner,
  lanes: number,
  rows: number,
  repeats: number,
): Promise<number[]> {
  const tokenIds = Int32Array.from(
    { length: lanes * rows },
    (_, i) => (i * 7919 + 13) % (runner.vocabSize - 1),
  );
  const logitRows = Int32Array.from(tokenIds.keys());
  const parents = Int32Array.from(tokenIds, (_, i) => (i % rows) - 1);
  const trees = { counts: new Int32Array(lanes).fill(rows), parents };
  const cached = runner.cache.length(0);
  const times: number[] = [];
  for (let count = 0; count < unmeasured + repeats; count++) {
    const start = performance.now();
    await runner.forward({ firstLane: 0, lanes, rows, tokenIds, logitRows, trees });
    if (count >= unmeasured) times.push(performance.now() - start);
    for (let lane = 0; lane < lanes; lane++) runner.cache.truncate(lane, cached);
  }
  return times;
}

/** The cost of one lane's steps, short and long contexts, as the engine's own measurement sees it, but all widths. */
export async function stepTimings(runner: Runner): Promise<StepTiming[]> {
  const timings: StepTiming[] = [];
  for (const [context, widths] of [
    [64, chainWidths],
    [512, [1, 8]],
  ] as const) {
    await fillLanes(runner, 1, context);
    for (const rows of widths) {
      timings.push({ rows, context, ms: Math.min(...(await chainStepMs(runner, 1, rows, 3))) });
    }
  }
  runner.cache.resize(0, 0);
  return timings;
}
