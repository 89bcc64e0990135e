/**
 * What the feature costs where it is switched off: microseconds of bookkeeping a step by lanes that do not draft,
 * and its share of steps of several lengths. `tsx draft-overhead.ts`
 */

import { DraftStores } from '../src/decoding/speculative/draft-stores.js';
import { Drafting } from '../src/decoding/speculative/drafting.js';
import { requestOf } from '../src/engine/scheduler/draft-steps.js';
import { median } from './statistics.js';
import { formatTable } from './table.js';

const steps = 20_000;
const stepLengths = [0.5, 1, 7, 30];

function microsecondsPerStep(lanes: number): number {
  const stores = new DraftStores({ bytes: 2 ** 20, historyTokens: 256 });
  const drafting = new Drafting({ stores, maxRows: 64 });
  const batch = Array.from({ length: lanes }, (_, lane) => {
    return { drafter: undefined, anchor: lane, cached: 100 + lane, tokensLeft: 100 };
  });
  const times: number[] = [];
  for (let round = 0; round < 9; round++) {
    const startedAt = performance.now();
    for (let step = 0; step < steps; step++) {
      const plan = drafting.plan(batch, 64);
      requestOf(plan);
      drafting.observe(plan, 1);
    }
    times.push((1000 * (performance.now() - startedAt)) / steps);
  }
  return median(times);
}

const figures = [1, 4, 8].map((lanes) => ({ lanes, microseconds: microsecondsPerStep(lanes) }));
console.log(
  formatTable(
    ['lanes', 'µs a step', ...stepLengths.map((ms) => `% of ${ms} ms`)],
    figures.map(({ lanes, microseconds }) => [
      `${lanes}`,
      microseconds.toFixed(2),
      ...stepLengths.map((ms) => (microseconds / ms / 10).toFixed(3)),
    ]),
  ),
);
console.log(JSON.stringify({ figures }));
