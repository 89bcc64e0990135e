/**
 * Where does the time of a step go? By operator and by place in the graph, layers taken together.
 * `tsx profile-step.ts [--model 135m] [--weights int4] [--lanes 1] [--rows 1] [--cached 128] [--steps 40]`
 * The profiler adds some microseconds to every node; the column `net` takes off what the cheapest node shows.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { fillCache, loadRunner, timeStep } from './bench-runner.js';
import type { ModelName } from './shapes.js';
import { median } from './statistics.js';
import { formatNumber, formatTable } from './table.js';
import type { TrimtabWeights } from './trimtab-server.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string', default: '135m' },
    weights: { type: 'string', default: 'int4' },
    lanes: { type: 'string', default: '1' },
    rows: { type: 'string', default: '1' },
    cached: { type: 'string', default: '128' },
    steps: { type: 'string', default: '40' },
  },
});

interface NodeEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

interface Place {
  readonly name: string;
  readonly operator: string;
  readonly perStep: number;
  /** Microseconds of one node. */
  readonly each: number;
}

const places = placesOf(await profile(), Number(flags.steps) + 1);
const overhead = Math.min(...places.map((place) => place.each));
const net = ({ perStep, each }: Place) => (perStep * (each - overhead)) / 1000;
const total = places.reduce((sum, place) => sum + net(place), 0);

console.log(
  `${flags.model} ${flags.weights}: ${flags.lanes} lanes, ${flags.rows} rows, ${flags.cached} cached\n`,
);
print(
  'place',
  places.map((place) => [`${place.name} (${place.operator})`, place.perStep, place.each, net(place)]),
);
const operators = [...new Set(places.map((place) => place.operator))].map((operator) => {
  const of = places.filter((place) => place.operator === operator);
  const count = of.reduce((sum, place) => sum + place.perStep, 0);
  const ms = of.reduce((sum, place) => sum + net(place), 0);
  return [operator, count, (1000 * ms) / count + overhead, ms] as const;
});
print('operator', operators);
console.log(JSON.stringify({ bench: 'profile-step', ...flags, overhead, total, places }));

/** Runs the steps and returns what the profiler of the step session wrote. */
async function profile(): Promise<NodeEvent[]> {
  const folder = mkdtempSync(join(tmpdir(), 'trimtab-profile-'));
  try {
    const profilePrefix = join(folder, 'profile');
    const options = { promptGraph: false, profilePrefix };
    const runner = await loadRunner(flags.model as ModelName, flags.weights as TrimtabWeights, options);
    const [lanes, rows] = [Number(flags.lanes), Number(flags.rows)];
    fillCache(runner, lanes, Number(flags.cached), rows);
    for (let step = 0; step <= Number(flags.steps); step++) await timeStep(runner, lanes, rows);
    await runner.close();
    const [file] = readdirSync(folder).filter((name) => name.startsWith('profile.step'));
    return JSON.parse(readFileSync(join(folder, file!), 'utf8')) as NodeEvent[];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function placesOf(events: readonly NodeEvent[], steps: number): Place[] {
  const samples = new Map<string, number[]>();
  for (const { cat, name, dur, args } of events) {
    if (cat !== 'Node' || !name.endsWith('_kernel_time')) continue;
    const place = name.replace(/_kernel_time$/, '').replace(/^layers\.\d+/, 'layers.*');
    const key = `${place}\n${args?.op_name}`;
    samples.set(key, [...(samples.get(key) ?? []), dur]);
  }
  return [...samples].map(([key, times]) => {
    const [name, operator] = key.split('\n') as [string, string];
    return { name, operator, perStep: times.length / steps, each: median(times) };
  });
}

function print(what: string, rows: readonly (readonly [string, number, number, number])[]): void {
  const sorted = rows.toSorted((a, b) => b[3] - a[3]);
  const cells = sorted.map(([name, count, each, ms]) => [
    name,
    formatNumber(count),
    formatNumber(each),
    ms.toFixed(3),
    `${((100 * ms) / total).toFixed(1)} %`,
  ]);
  console.log(`${formatTable([what, 'nodes', 'µs each', 'net ms', 'share'], cells)}\n`);
}
