/** Steps that nobody asked for, so that the first request meets code that is fast already. */

import type { Runner } from './runner.js';

/** The code around the kernels runs its last optimisation by then; larger models call it more often in a step. */
const mostSteps = 64;
const mostMs = 500;
/** So that drafts find their code ready as well. */
const widths = [1, 2, 3, 4] as const;

/**
 * Takes half a second at most and leaves the cache empty, as it must be found. Graphs spend their time in the runtime,
 * which needs no practice.
 */
export async function warmUp(runner: Runner): Promise<void> {
  if (!runner.rowsAreExact) return;
  const { cache } = runner;
  const until = performance.now() + mostMs;
  cache.resize(1, Math.max(...widths));
  for (let step = 0; step < mostSteps && performance.now() < until; step++) {
    await runChain(runner, widths[step % widths.length]!);
    cache.truncate(0, 0);
  }
  cache.resize(0, 0);
}

/** A step of `rows` tokens, each behind the one before. */
async function runChain(runner: Runner, rows: number): Promise<void> {
  const inOrder = Int32Array.from({ length: rows }, (_, row) => row);
  await runner.forward({
    firstLane: 0,
    lanes: 1,
    rows,
    tokenIds: new Int32Array(rows),
    logitRows: inOrder,
    trees: { counts: Int32Array.of(rows), parents: inOrder.map((row) => row - 1) },
  });
}
