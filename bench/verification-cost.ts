/**
 * What it costs to verify a draft: milliseconds of a step of one lane by its number of rows, for drafts that are
 * chains. `tsx verification-cost.ts 135m int4 1,4 256 1024`: lanes, then cached tokens.
 */

import { loadModel } from '../src/engine/model-loader.js';
import type { Runner } from '../src/engine/runner/runner.js';
import { threads } from './contenders/contender.js';
import { ensureCheckpoint } from './random-checkpoint.js';
import type { ModelName } from './shapes.js';
import { median } from './statistics.js';
import { formatNumber, formatTable } from './table.js';
import { compiledFolder } from './trimtab-server.js';

const widths = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64];
const repeats = 7;

async function stepMs(runner: Runner, lanes: number, rows: number, cached: number): Promise<number[]> {
  const tokenIds = Int32Array.from(
    { length: lanes * rows },
    (_, i) => (i * 7919 + 13) % (runner.vocabSize - 1),
  );
  const logitRows = Int32Array.from(tokenIds.keys());
  const parents = Int32Array.from(tokenIds, (_, i) => (i % rows) - 1);
  const trees = { counts: new Int32Array(lanes).fill(rows), parents };
  const times: number[] = [];
  for (let count = 0; count < repeats + 2; count++) {
    const start = performance.now();
    await runner.forward({ firstLane: 0, lanes, rows, tokenIds, logitRows, trees });
    if (count >= 2) times.push(performance.now() - start);
    for (let lane = 0; lane < lanes; lane++) runner.cache.truncate(lane, cached);
  }
  return times;
}

async function fill(runner: Runner, lanes: number, cached: number): Promise<void> {
  runner.cache.resize(0, 0);
  runner.cache.resize(lanes, cached + 64);
  const tokenIds = Int32Array.from({ length: cached }, (_, i) => (i * 31) % (runner.vocabSize - 1));
  await runner.forward({ firstLane: 0, lanes: 1, rows: cached, tokenIds, logitRows: Int32Array.of() });
  for (let lane = 1; lane < lanes; lane++) runner.cache.append(lane, runner.cache.read(0, 0, cached));
}

const [model, weights, lanesText, ...contexts] = process.argv.slice(2);
const laneCounts = lanesText!.split(',').map(Number);
const name = model as ModelName;
const { runner } = await loadModel({
  id: name,
  folder: await ensureCheckpoint(name),
  weights: weights as 'int4',
  cacheDir: compiledFolder(name),
  threads,
});
const rows: string[][] = [];
for (const cached of contexts.map(Number)) {
  for (const lanes of laneCounts) {
    await fill(runner, lanes, cached);
    const times: number[] = [];
    for (const width of widths) times.push(median(await stepMs(runner, lanes, width, cached)));
    rows.push([`${lanes} × ${cached}, ms`, ...times.map(formatNumber)]);
    rows.push([`${lanes} × ${cached}, t(n)`, ...times.map((time) => formatNumber(time / times[0]!))]);
  }
}
await runner.close();
console.log(formatTable([`${model} ${weights}`, ...widths.map(String)], rows));
