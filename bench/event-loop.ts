/**
 * Does the engine hold up the HTTP thread? Event-loop delay of the real server while eight streams decode and
 * prompts arrive. `tsx event-loop.ts [--models 135m] [--quick]`
 */

import { parseArgs } from 'node:util';
import { modelNames, shapes } from './shapes.js';
import { formatNumber, formatTable } from './table.js';
import { TrimtabServer } from './trimtab-server.js';

const { values: flags } = parseArgs({
  options: { models: { type: 'string', default: '135m' }, quick: { type: 'boolean', default: false } },
});
const streams = 8;
const promptTokens = 64;
const seconds = flags.quick ? 8 : 30;

const results: Record<string, Record<string, number>> = {};
for (const model of modelNames.filter((name) => flags.models.split(',').includes(name))) {
  const server = await TrimtabServer.start(model, 'int4');
  const idle = await delayDuring(server, () => new Promise((resolve) => setTimeout(resolve, 2000)));
  let tokens = 0;
  const load = await delayDuring(server, async () => {
    tokens = await decodeFor(server, shapes[model].vocab);
  });
  await server.stop();
  results[model] = { ...prefixed('idle', idle), ...prefixed('load', load), 'tokens/s': tokens / seconds };
}
const columns = Object.keys(Object.values(results)[0] ?? {});
console.log(`Event-loop delay of the HTTP thread in ms, ${streams} streams, ${seconds} s\n`);
console.log(
  formatTable(
    ['model', ...columns],
    Object.entries(results).map(([model, of]) => [model, ...columns.map((name) => formatNumber(of[name]!))]),
  ),
);
console.log(JSON.stringify({ bench: 'event-loop', streams, seconds, results }));

/** Delay quantiles in ms of the time that `work` takes. */
async function delayDuring(
  server: TrimtabServer,
  work: () => Promise<void>,
): Promise<Record<string, number>> {
  const name = 'trimtab_event_loop_delay_seconds';
  await server.metric(name);
  await work();
  const delay = await server.metric(name);
  return Object.fromEntries(
    [...delay].map(([labels, value]) => [/quantile="(\w+)"/.exec(labels)![1]!, 1000 * value]),
  );
}

/** Keeps all streams busy with fresh prompts until the time is over, and returns the tokens received. */
async function decodeFor(server: TrimtabServer, vocab: number): Promise<number> {
  const end = performance.now() + 1000 * seconds;
  let tokens = 0;
  const client = async (index: number) => {
    for (let turn = 0; performance.now() < end; turn++) {
      const prompt = Array.from(
        { length: promptTokens },
        (_, i) => (i * 7919 + index * 131 + turn * 17) % (vocab - 1),
      );
      for await (const _ of server.complete({ prompt, maxTokens: 128, cachePrompt: true })) {
        tokens++;
        if (performance.now() >= end) break;
      }
    }
  };
  await Promise.all(Array.from({ length: streams }, (_, index) => client(index)));
  return tokens;
}

function prefixed(prefix: string, values: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix} ${name}`, value]));
}
