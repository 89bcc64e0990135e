/**
 * What does a step of n new tokens cost next to one of a single token? That is what verifying a draft pays.
 * `tsx step-cost.ts [--model 135m] [--weights int4] [--lanes 1] [--cached 128,1024]`
 */

import { parseArgs } from 'node:util';
import { fillCache, loadRunner, timeStep } from './bench-runner.js';
import type { ModelName } from './shapes.js';
import { quantile } from './statistics.js';
import { formatNumber, formatTable } from './table.js';
import type { TrimtabWeights } from './trimtab-server.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string', default: '135m' },
    weights: { type: 'string', default: 'int4' },
    lanes: { type: 'string', default: '1' },
    cached: { type: 'string', default: '128,1024' },
  },
});
const rowCounts = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32];
const rounds = 8;
const lanes = Number(flags.lanes);

const runner = await loadRunner(flags.model as ModelName, flags.weights as TrimtabWeights);
const results: Record<string, Record<number, number>> = {};
for (const cached of flags.cached.split(',').map(Number)) {
  fillCache(runner, lanes, cached, Math.max(...rowCounts));
  const samples = new Map(rowCounts.map((rows) => [rows, [] as number[]]));
  for (const rows of rowCounts) await timeStep(runner, lanes, rows);
  for (let round = 0; round < rounds; round++) {
    for (const rows of rowCounts) samples.get(rows)!.push(await timeStep(runner, lanes, rows));
  }
  const times = [...samples].map(([rows, of]) => [rows, quantile(of, 0.1)] as const);
  results[cached] = Object.fromEntries(times);
  console.log(`\n${flags.model} ${flags.weights}, ${lanes} lanes, ${cached} cached tokens\n`);
  console.log(
    formatTable(
      ['new tokens', 'ms', 'of one'],
      times.map(([rows, ms]) => [`${rows}`, formatNumber(ms), formatNumber(ms / times[0]![1])]),
    ),
  );
}
await runner.close();
console.log(JSON.stringify({ bench: 'step-cost', ...flags, results }));
