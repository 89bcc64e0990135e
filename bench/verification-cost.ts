/**
 * What it costs to verify a draft: milliseconds of a step of one lane by its number of rows, for drafts that are
 * chains. `tsx verification-cost.ts 135m int4 1,4 256 1024`: lanes, then cached tokens.
 */

import { loadModel } from '../src/engine/model-loader.js';
import { threads } from './contenders/contender.js';
import { chainStepMs, chainWidths, fillLanes } from './drafts/chain-steps.js';
import { ensureCheckpoint } from './random-checkpoint.js';
import type { ModelName } from './shapes.js';
import { median } from './statistics.js';
import { formatNumber, formatTable } from './table.js';
import { compiledFolder } from './trimtab-server.js';

const repeats = 7;

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
    await fillLanes(runner, lanes, cached);
    const times: number[] = [];
    for (const width of chainWidths) times.push(median(await chainStepMs(runner, lanes, width, repeats)));
    rows.push([`${lanes} × ${cached}, ms`, ...times.map(formatNumber)]);
    rows.push([`${lanes} × ${cached}, t(n)`, ...times.map((time) => formatNumber(time / times[0]!))]);
  }
}
await runner.close();
console.log(formatTable([`${model} ${weights}`, ...chainWidths.map(String)], rows));
