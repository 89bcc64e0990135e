/**
 * What do HTTP, JSON, streaming, the scheduler and the thread boundary cost on top of the model? The same short
 * requests go one after the other through the server and straight into the runner.
 * `tsx server-overhead.ts [--models 135m] [--quick]`
 */

import { parseArgs } from 'node:util';
import { Trimtab } from './contenders/trimtab.js';
import { type ModelName, modelNames, shapes } from './shapes.js';
import { quantile } from './statistics.js';
import { formatNumber, formatTable } from './table.js';
import { TrimtabServer } from './trimtab-server.js';

const { values: flags } = parseArgs({
  options: { models: { type: 'string', default: '135m' }, quick: { type: 'boolean', default: false } },
});
const promptTokens = 16;
const newTokens = 16;
const warmUp = 3;
const requests = flags.quick ? 20 : 100;

interface Samples {
  /** Milliseconds from the request to its first token. */
  readonly first: number[];
  /** Milliseconds between neighbouring tokens. */
  readonly between: number[];
}

const results: Record<string, Record<string, number>> = {};
for (const model of modelNames.filter((name) => flags.models.split(',').includes(name))) {
  const bare = await throughRunner(model);
  const served = await throughServer(model);
  results[model] = Object.fromEntries(
    (['first', 'between'] as const).flatMap((part) =>
      [50, 99].flatMap((percent) => {
        const [runner, server] = [bare, served].map((of) => quantile(of[part], percent / 100)) as [
          number,
          number,
        ];
        const name = `${part} p${percent}`;
        return [
          [`${name} runner`, runner],
          [`${name} server`, server],
          [`${name} overhead`, server - runner],
        ] as [string, number][];
      }),
    ),
  );
}
for (const [model, of] of Object.entries(results)) {
  console.log(
    `\n${model}: ms, ${requests} requests of ${promptTokens} + ${newTokens} tokens, one at a time\n`,
  );
  const names = [...new Set(Object.keys(of).map((key) => key.replace(/ \w+$/, '')))];
  const sources = ['runner', 'server', 'overhead'];
  const rows = names.map((name) => [
    name,
    ...sources.map((source) => formatNumber(of[`${name} ${source}`]!)),
  ]);
  console.log(formatTable(['token', ...sources], rows));
}
console.log(JSON.stringify({ bench: 'server-overhead', requests, promptTokens, newTokens, results }));

async function throughRunner(model: ModelName): Promise<Samples> {
  const runner = new Trimtab(model, 'int4');
  await runner.load();
  const samples: Samples = { first: [], between: [] };
  for (let request = -warmUp; request < requests; request++) {
    const start = performance.now();
    await runner.prefill(promptOf(model, request));
    const first = performance.now() - start;
    const between = await runner.decode(1, newTokens - 1);
    if (request >= 0) add(samples, first, between);
  }
  await runner.close();
  return samples;
}

async function throughServer(model: ModelName): Promise<Samples> {
  const server = await TrimtabServer.start(model, 'int4');
  const samples: Samples = { first: [], between: [] };
  for (let request = -warmUp; request < requests; request++) {
    const times = [performance.now()];
    const options = { prompt: promptOf(model, request), maxTokens: newTokens, cachePrompt: false };
    for await (const time of server.complete(options)) times.push(time);
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    if (request >= 0) add(samples, gaps[0]!, gaps.slice(1, newTokens));
  }
  await server.stop();
  return samples;
}

function add(samples: Samples, first: number, between: readonly number[]): void {
  samples.first.push(first);
  samples.between.push(...between);
}

function promptOf(model: ModelName, request: number): number[] {
  const spread = (request + warmUp) * 131;
  return Array.from(
    { length: promptTokens },
    (_, index) => (index * 7919 + spread) % (shapes[model].vocab - 1),
  );
}
