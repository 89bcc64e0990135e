/**
 * Measures a freshly loaded model: what steps of various widths cost on this machine, and how far the rounding of
 * a row depends on what is computed beside it. Both decide how drafts are verified.
 */

import type { StepTiming } from '../../decoding/speculative/cost-model.js';
import type { Runner } from './runner.js';

export interface StepProbe {
  readonly timings: readonly StepTiming[];
  /** Logits that are closer than this may change places when a token is verified instead of decoded. */
  readonly rounding: number;
}

const WIDTHS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
const SHORT = 64;
const LONG = 512;
const REPEATS = 3;
/** Times the largest difference that was seen. */
const ROUNDING_MARGIN = 8;

/** Takes about `budgetMs`; wide steps that do not fit are left to be extrapolated. */
export async function probeSteps(runner: Runner, budgetMs: number): Promise<StepProbe> {
  const startedAt = performance.now();
  const timings: StepTiming[] = [];
  try {
    const rounding = ROUNDING_MARGIN * (await roundingGap(runner));
    await prepare(runner, SHORT);
    for (const rows of WIDTHS) {
      if (timings.length >= 2 && performance.now() - startedAt > budgetMs) break;
      timings.push({ rows, context: SHORT, ms: await stepMs(runner, rows, SHORT) });
    }
    const spent = performance.now() - startedAt;
    if (runner.contextLength > 2 * LONG && spent < budgetMs) timings.push(...(await longTimings(runner)));
    return { timings, rounding };
  } finally {
    runner.cache.resize(0, 0);
  }
}

async function longTimings(runner: Runner): Promise<StepTiming[]> {
  await prepare(runner, LONG);
  const timings: StepTiming[] = [];
  for (const rows of [1, 8]) timings.push({ rows, context: LONG, ms: await stepMs(runner, rows, LONG) });
  return timings;
}

/** One lane with so many tokens in the cache; what they are does not matter for the time. */
async function prepare(runner: Runner, cached: number): Promise<void> {
  const { cache } = runner;
  cache.resize(0, 0);
  cache.resize(1, cached + Math.max(...WIDTHS));
  cache.append(0, { length: cached, data: new Float32Array((cached * cache.bytesPerToken) / 4) });
}

/** The least of a few, since whatever disturbs a step makes it longer. */
async function stepMs(runner: Runner, rows: number, cached: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let count = 0; count <= REPEATS; count++) {
    const startedAt = performance.now();
    await chain(runner, tokensFrom(runner, 0, rows));
    const ms = performance.now() - startedAt;
    if (count > 0) least = Math.min(least, ms);
    runner.cache.truncate(0, cached);
  }
  return least;
}

/** Largest difference of a logit between tokens decoded one by one and the same tokens in one step. */
async function roundingGap(runner: Runner): Promise<number> {
  const { cache, vocabSize } = runner;
  const [cached, rows] = [24, 12];
  cache.resize(1, cached + rows);
  await runner.forward({
    firstLane: 0,
    lanes: 1,
    rows: cached,
    tokenIds: tokensFrom(runner, 50, cached),
    logitRows: Int32Array.of(),
  });
  const tokens = tokensFrom(runner, 7, rows);
  const together = (await chain(runner, tokens)).slice();
  cache.truncate(0, cached);
  let gap = 0;
  for (let row = 0; row < rows; row++) {
    const alone = await chain(runner, tokens.subarray(row, row + 1));
    for (let id = 0; id < vocabSize; id++) {
      gap = Math.max(gap, Math.abs(alone[id]! - together[row * vocabSize + id]!));
    }
  }
  cache.truncate(0, 0);
  return gap;
}

async function chain(runner: Runner, tokenIds: Int32Array): Promise<Float32Array> {
  const rows = tokenIds.length;
  return runner.forward({
    firstLane: 0,
    lanes: 1,
    rows,
    tokenIds,
    logitRows: Int32Array.from(tokenIds.keys()),
    trees: { counts: Int32Array.of(rows), parents: Int32Array.from(tokenIds, (_, row) => row - 1) },
  });
}

/** Tokens spread over the vocabulary. */
function tokensFrom(runner: Runner, first: number, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => ((first + i) * 7919 + 13) % (runner.vocabSize - 1));
}
