/** The runner over random weights, with lanes that already hold tokens. */

import { prepareModel } from '../src/engine/prepare-model.js';
import { ModelRunner, type RunnerOptions } from '../src/engine/runner/model-runner.js';
import type { RowTrees } from '../src/engine/runner/runner.js';
import { warmUp } from '../src/engine/runner/warm-up.js';
import { threads } from './contenders/contender.js';
import { ensureCheckpoint } from './random-checkpoint.js';
import type { ModelName } from './shapes.js';
import { compiledFolder, type TrimtabWeights } from './trimtab-server.js';

export async function loadRunner(
  model: ModelName,
  weights: TrimtabWeights,
  options: RunnerOptions = {},
): Promise<ModelRunner> {
  const folder = await ensureCheckpoint(model);
  const { compiled, checkpoint } = prepareModel({ folder, weights, cacheDir: compiledFolder(model) });
  const runner = await ModelRunner.load(compiled, checkpoint, threads, options);
  await warmUp(runner);
  return runner;
}

/** Fills `lanes` with `tokens` zero rows each; speed does not depend on what they hold. */
export function fillCache({ cache }: ModelRunner, lanes: number, tokens: number, room: number): void {
  cache.resize(lanes, tokens + room);
  const floats = (cache.bytesPerToken / 4) * tokens;
  for (let lane = 0; lane < lanes; lane++) {
    cache.truncate(lane, 0);
    cache.append(lane, { length: tokens, data: new Float32Array(floats) });
  }
}

/** Milliseconds of one step of `rows` new tokens in each lane, logits of all of them; leaves the cache as it was. */
export async function timeStep(runner: ModelRunner, lanes: number, rows: number): Promise<number> {
  const cached = runner.cache.length(0);
  const tokens = lanes * rows;
  const chain: RowTrees = {
    counts: new Int32Array(lanes).fill(rows),
    parents: Int32Array.from({ length: tokens }, (_, i) => (i % rows) - 1),
  };
  const startedAt = performance.now();
  await runner.forward({
    firstLane: 0,
    lanes,
    rows,
    tokenIds: Int32Array.from({ length: tokens }, (_, i) => i + 1),
    logitRows: Int32Array.from({ length: tokens }, (_, i) => i),
    trees: chain,
  });
  const elapsed = performance.now() - startedAt;
  for (let lane = 0; lane < lanes; lane++) runner.cache.truncate(lane, cached);
  return elapsed;
}
