/**
 * How fast is the engine next to node-llama-cpp and transformers.js on the same random weights?
 * `tsx engine-vs-peers.ts [--models 135m,0.5b,1b] [--contenders "trimtab int4,…"] [--rounds 3] [--quick]`
 * Every contender runs in a process of its own; rounds alternate, so that a slow minute of the machine hits all.
 */

import { fork } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { threads } from './contenders/contender.js';
import { type ContenderName, contenderNames } from './contenders/registry.js';
import { ensureGguf } from './gguf-writer.js';
import type { Figures, MeasurePlan } from './measure-contender.js';
import { ensureOnnx } from './onnx-export.js';
import { type ModelName, modelNames } from './shapes.js';
import { median, quantile } from './statistics.js';
import { formatNumber, formatTable } from './table.js';

const { values: flags } = parseArgs({
  options: {
    models: { type: 'string', default: modelNames.join(',') },
    contenders: { type: 'string', default: '' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});

const plan = flags.quick
  ? {
      prompts: [
        { tokens: 128, repeats: 3 },
        { tokens: 1024, repeats: 2 },
      ],
      sequences: [1, 4, 8],
      decodeSteps: 16,
    }
  : {
      prompts: [
        { tokens: 128, repeats: 5 },
        { tokens: 1024, repeats: 2 },
      ],
      sequences: [1, 4, 8],
      decodeSteps: 48,
    };
const rounds = Number(flags.rounds ?? (flags.quick ? 2 : 3));
const models = modelNames.filter((name) => flags.models.split(',').includes(name));
const wanted = flags.contenders === '' ? contenderNames : flags.contenders.split(',');
const chosen = contenderNames.filter((name) => wanted.includes(name));

const results: Record<string, Record<string, Figures>> = {};
for (const model of models) {
  await prepare(model);
  const figures = await measureModel(model);
  results[model] = figures;
  console.log(`\n${model}: undisturbed (median)\n\n${tableOf(figures)}`);
}
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, threads, loadAverage: loadavg()[1] };
console.log(
  JSON.stringify({ bench: 'engine-vs-peers', machine, rounds, ...plan, results: summary(results) }),
);

/** Writes all files first, so that no measured process pays for it. */
async function prepare(model: ModelName): Promise<void> {
  await ensureGguf(model, 'q4_0');
  await ensureGguf(model, 'q8_0');
  await ensureOnnx(model);
}

async function measureModel(model: ModelName): Promise<Record<string, Figures>> {
  const all: Record<string, Figures> = Object.fromEntries(chosen.map((name) => [name, {}]));
  for (const contender of chosen) {
    append(all[contender]!, await runContender({ ...plan, contender, model, cold: true }));
  }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? chosen : chosen.toReversed();
    for (const contender of order) {
      append(all[contender]!, await runContender({ ...plan, contender, model, cold: false }));
    }
  }
  return all;
}

function runContender(measurePlan: MeasurePlan): Promise<Figures> {
  const script = join(import.meta.dirname, 'measure-contender.ts');
  console.error(`${measurePlan.model} ${measurePlan.contender}${measurePlan.cold ? ', cold' : ''}`);
  return new Promise((resolve, reject) => {
    let figures: Figures | undefined;
    const child = fork(script, [JSON.stringify(measurePlan)], { execArgv: ['--import', 'tsx'] });
    child.on('message', (message) => {
      figures = message as Figures;
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (figures) resolve(figures);
      else reject(new Error(`${measurePlan.contender} on ${measurePlan.model} ended with code ${code}`));
    });
  });
}

function append(target: Figures, more: Figures): void {
  for (const [name, samples] of Object.entries(more)) target[name] = [...(target[name] ?? []), ...samples];
}

function tableOf(figures: Record<string, Figures>): string {
  const rows = [...new Set(Object.values(figures).flatMap((of) => Object.keys(of)))];
  const cell = (name: ContenderName, row: string) => {
    const samples = figures[name]![row];
    return samples ? `${formatNumber(undisturbed(row, samples))} (${formatNumber(median(samples))})` : 'n/a';
  };
  return formatTable(
    ['figure', ...chosen],
    rows.map((row) => [row, ...chosen.map((name) => cell(name, row))]),
  );
}

/** The better end of the samples: the ninth decile of rates, the first of times and sizes. */
function undisturbed(row: string, samples: readonly number[]): number {
  return quantile(samples, row.endsWith('tokens/s') ? 0.9 : 0.1);
}

function summary(all: Record<string, Record<string, Figures>>): object {
  const digest = (row: string, samples: readonly number[]) => ({
    median: median(samples),
    undisturbed: undisturbed(row, samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
    samples: samples.length,
  });
  const mapValues = <T, U>(record: Record<string, T>, map: (value: T, key: string) => U): Record<string, U> =>
    Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
  return mapValues(all, (byContender) =>
    mapValues(byContender, (figures) => mapValues(figures, (samples, row) => digest(row, samples))),
  );
}
