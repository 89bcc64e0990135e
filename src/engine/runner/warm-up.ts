/** Steps that nobody asked for: the first request shall meet code that is fast, and drafting shall know what steps cost. */

import type { StepTiming } from '../../decoding/speculative/cost-model.js';
import { StepProbe } from '../../decoding/speculative/step-probe.js';
import type { Runner } from './runner.js';

/** The code around the kernels runs its last optimisation by then; larger models call it more often in a step. */
const mostSteps = 64;
const mostMs = 500;
/** So that drafts find their code ready as well. */
const widths = [1, 2, 3, 4] as const;
/** Most rows whose cost is measured. */
const mostRows = 64;

/**
 * Takes half a second at most for each of both, and leaves the cache empty, as it must be found. Gives what steps of
 * several widths take, or undefined for a model that needs longer for that: it measures while it serves.
 */
export async function warmUp(runner: Runner): Promise<readonly StepTiming[] | undefined> {
  const rows = Math.min(mostRows, runner.contextLength);
  runner.cache.resize(1, rows);
  // Graphs spend their time in the runtime, which needs no practice.
  if (runner.rowsAreExact) await practise(runner);
  const timings = await measure(runner, rows);
  runner.cache.resize(0, 0);
  return timings;
}

async function practise(runner: Runner): Promise<void> {
  const until = performance.now() + mostMs;
  for (let step = 0; step < mostSteps && performance.now() < until; step++) {
    await runChain(runner, widths[step % widths.length]!);
  }
}

async function measure(runner: Runner, limit: number): Promise<readonly StepTiming[] | undefined> {
  const probe = new StepProbe();
  const until = performance.now() + mostMs;
  for (let rows = probe.width(0, limit); rows !== undefined; rows = probe.width(0, limit)) {
    if (performance.now() > until) return undefined;
    const startedAt = performance.now();
    await runChain(runner, rows);
    probe.observe({ rows, context: 0, ms: performance.now() - startedAt });
  }
  return probe.timings;
}

/** A step of `rows` tokens, each behind the one before, that leaves the cache as it was. */
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
  runner.cache.truncate(0, 0);
}
