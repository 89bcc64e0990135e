/**
 * What merging and pruning of visual tokens save before the first token: time and peak memory, every keep ratio
 * with and without pruning, each in a process of its own. The encoder is not part of it.
 *
 *   npx tsx visual-tokens.ts [--model 0.5b|7b-slice] [--keeps 1,0.5,0.25,0.125] [--repeats 3]
 */

import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { engineConfigSchema } from '../src/engine/config.js';
import { loadModel } from '../src/engine/model-loader.js';
import type { Runner } from '../src/engine/runner/runner.js';
import { layerFlops, scoringFlops } from '../src/engine/visual-tokens/flops.js';
import { mergeGroups } from '../src/engine/visual-tokens/merge-groups.js';
import { pruningLayers, tokensEntering } from '../src/engine/visual-tokens/pruning-schedule.js';
import { threads } from './contenders/contender.js';
import { ensureCheckpoint } from './random-checkpoint.js';
import type { ModelName } from './shapes.js';
import { shapes } from './shapes.js';
import { median } from './statistics.js';
import { formatNumber, formatTable } from './table.js';
import { compiledFolder } from './trimtab-server.js';

interface Setting {
  readonly model: ModelName;
  readonly keep: number;
  readonly pruning: boolean;
  readonly repeats: number;
}

interface Figures {
  readonly tokens: number;
  readonly mergeMs: readonly number[];
  readonly prefillMs: readonly number[];
  readonly peakMebibytes: number;
  readonly gigaflops: number;
}

/** As the paper has them: 8 frames of a video, merged in the width of the decoder, or one image in that of CLIP. */
const prompts = {
  '0.5b': { groups: 8, perGroup: 196, width: 896, text: 100, depth: { start: 0.5, end: 0.786 } },
  '7b-slice': { groups: 1, perGroup: 576, width: 1024, text: 40, depth: { start: 0.406, end: 0.656 } },
} as const;
/** Tokens of the prompt that come before the images. */
const textBefore = 20;

async function measure({ model, keep, pruning, repeats }: Setting): Promise<Figures> {
  const shape = shapes[model];
  const prompt = prompts[model as keyof typeof prompts];
  const folder = await ensureCheckpoint(model);
  const { runner } = await loadModel({
    id: model,
    folder,
    weights: 'int4',
    cacheDir: compiledFolder(model),
    threads,
  });
  const mergeMs: number[] = [];
  const prefillMs: number[] = [];
  const visual = prompt.groups * Math.ceil(prompt.perGroup * keep);
  const tokens = visual + prompt.text;
  const layers = pruning ? pruningLayers(shape.layers, prompt.depth) : undefined;
  const droppable = Uint8Array.from({ length: tokens }, (_, i) =>
    i >= textBefore && i < textBefore + visual ? 1 : 0,
  );
  runner.cache.resize(1, tokens + 64);
  const features = noise(prompt.groups * prompt.perGroup * prompt.width);
  for (let i = 0; i < repeats; i++) {
    mergeMs.push(
      await milliseconds(() =>
        mergeGroups(
          {
            groups: prompt.groups,
            tokensPerGroup: prompt.perGroup,
            width: prompt.width,
            features,
            metric: undefined,
          },
          keep,
          'reference',
        ),
      ),
    );
    runner.cache.truncate(0, 0);
    prefillMs.push(await milliseconds(() => prefill(runner, tokens, layers && { layers, droppable })));
  }
  const entering = tokensEntering(shape.layers, visual, prompt.text, layers);
  return {
    tokens,
    mergeMs,
    prefillMs,
    peakMebibytes: process.resourceUsage().maxRSS / 1024,
    gigaflops: flopsOf(model, entering) / 1e9,
  };
}

async function prefill(
  runner: Runner,
  tokens: number,
  pruning: { layers: { first: number; end: number }; droppable: Uint8Array } | undefined,
): Promise<void> {
  const chunk = engineConfigSchema.parse({}).prefillChunk;
  for (let from = 0; from < tokens; from += chunk) {
    const rows = Math.min(chunk, tokens - from);
    await runner.forward({
      firstLane: 0,
      lanes: 1,
      rows,
      tokenIds: Int32Array.from(
        { length: rows },
        (_, i) => ((from + i) * 7919 + 13) % (runner.vocabSize - 1),
      ),
      // Of a prompt that prunes, they come with the layers that the whole of it passes at once.
      logitRows: from + rows === tokens ? Int32Array.of(rows - 1) : new Int32Array(0),
      ...(pruning === undefined ? {} : { pruning }),
    });
  }
}

function flopsOf(model: ModelName, entering: readonly number[]): number {
  const { hidden, intermediate, vocab, ...rest } = shapes[model];
  const shape = { ...rest, hiddenSize: hidden, intermediateSize: intermediate, vocabSize: vocab };
  return entering.reduce((sum, rows, layer) => {
    const kept = entering[layer + 1] ?? rows;
    const scored = kept < rows ? scoringFlops(shape.heads, rows, rows) : 0;
    return sum + layerFlops(shape, { rows, keys: rows, kept }) + scored;
  }, 0);
}

/** Uniform values from a linear congruential generator. */
function noise(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

async function milliseconds(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function inProcess(setting: Setting): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const child = fork(import.meta.filename, [JSON.stringify(setting)], { execArgv: ['--import', 'tsx'] });
    child.on('message', (message) => resolve(message as Figures));
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`ended with code ${code}`)));
  });
}

async function compare(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: '0.5b' },
      keeps: { type: 'string', default: '1,0.5,0.25,0.125' },
      repeats: { type: 'string', default: '3' },
    },
  });
  const model = values.model as ModelName;
  await ensureCheckpoint(model);
  const settings = values.keeps
    .split(',')
    .flatMap((keep) => [false, true].map((pruning) => ({ keep: Number(keep), pruning })));
  const results: (Figures & { keep: number; pruning: boolean })[] = [];
  for (const setting of settings) {
    const figures = await inProcess({ model, repeats: Number(values.repeats), ...setting });
    results.push({ ...setting, ...figures });
    console.error(
      `keep ${setting.keep}, pruning ${setting.pruning}: ${Math.min(...figures.prefillMs).toFixed(0)} ms`,
    );
  }
  const dense = results[0]!;
  const rows = results.map(({ keep, pruning, tokens, mergeMs, prefillMs, peakMebibytes, gigaflops }) => [
    `${keep}${pruning ? ', pruned' : ''}`,
    `${tokens}`,
    formatNumber(Math.min(...mergeMs)),
    `${formatNumber(Math.min(...prefillMs))} (${formatNumber(median(prefillMs))})`,
    formatNumber(Math.min(...dense.prefillMs) / (Math.min(...prefillMs) + Math.min(...mergeMs))),
    formatNumber(dense.gigaflops / gigaflops),
    peakMebibytes.toFixed(0),
  ]);
  const header = [
    'keep',
    'tokens',
    'merge, ms',
    'prefill, ms',
    'times faster',
    'times fewer FLOPs',
    'peak, MiB',
  ];
  console.log(formatTable(header, rows));
  console.log(JSON.stringify({ bench: 'visual-tokens', model, repeats: Number(values.repeats), results }));
}

const [setting] = process.argv.slice(2);
if (process.send !== undefined && setting !== undefined) {
  process.send(await measure(JSON.parse(setting) as Setting), () => process.exit(0));
} else {
  await compare();
}
