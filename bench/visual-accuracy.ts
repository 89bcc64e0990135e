/**
 * What a model still answers right when its images have fewer tokens: merging against keeping every so many-th
 * token and against dropping at random, at equal counts, with and without pruning in the decoder.
 *
 *   npx tsx visual-accuracy.ts --model <folder> --set <look.json> [--keeps 1,0.5,0.25,0.125] [--start 0.5 --end 0.786]
 *
 * For models whose image is one run of tokens (LLaVA-1.5 and its like). Greedy, fp32.
 */

import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { TokenPruning } from '../src/core/efficiency.js';
import type { ImagePart, Prompt } from '../src/core/messages.js';
import { argmax } from '../src/decoding/argmax.js';
import type { LoadedModel } from '../src/engine/loaded-model.js';
import { loadModel } from '../src/engine/model-loader.js';
import { embeddedRows } from '../src/engine/sequence/image-span.js';
import { planPruning } from '../src/engine/sequence/pruning-plan.js';
import { keepAll, visualPolicy } from '../src/engine/vision/reduce-visual-tokens.js';
import { mergedCount } from '../src/engine/visual-tokens/merge-groups.js';
import { threads } from './contenders/contender.js';
import { formatTable } from './table.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    set: { type: 'string' },
    keeps: { type: 'string', default: '1,0.5,0.25,0.125' },
    start: { type: 'string', default: '0.5' },
    end: { type: 'string', default: '0.786' },
  },
});

interface Item {
  readonly task: string;
  readonly image: string;
  readonly expect: string;
  readonly messages: readonly {
    readonly role: 'user';
    readonly content: readonly { type: string; text?: string }[];
  }[];
}

const reducers = ['merged', 'every n-th', 'random'] as const;
type Reducer = (typeof reducers)[number];
const mostTokens = 24;

const set = JSON.parse(readFileSync(flags.set!, 'utf8')) as { readonly items: readonly Item[] };
const model = await loadModel({
  id: 'model',
  folder: flags.model!,
  weights: 'fp32',
  cacheDir: join(tmpdir(), 'trimtab-visual-accuracy'),
  threads,
});
const vision = model.vision!;
const depth = { start: Number(flags.start), end: Number(flags.end) };

/** The rows of an image, reduced; `[tokens, width]`. */
async function rowsOf(image: ImagePart, keep: number, reducer: Reducer): Promise<Float32Array> {
  const policy = reducer === 'merged' ? visualPolicy({ keep, order: 'reference' }) : keepAll;
  const [planned] = await vision.plan([image], policy);
  const { rows } = await vision.look(planned!);
  if (reducer === 'merged') return rows;
  const count = rows.length / vision.width;
  const left = mergedCount(count, keep);
  const chosen = reducer === 'random' ? randomPlaces(count, left) : evenPlaces(count, left);
  return Float32Array.from(
    chosen.flatMap((place) => [...rows.subarray(place * vision.width, (place + 1) * vision.width)]),
  );
}

const evenPlaces = (count: number, left: number): number[] =>
  Array.from({ length: left }, (_, i) => Math.floor(((i + 0.5) * count) / left));

let state = 1;
function randomPlaces(count: number, left: number): number[] {
  const places = [...Array(count).keys()];
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [places[i], places[j]] = [places[j]!, places[i]!];
  }
  return places.slice(0, left).sort((a, b) => a - b);
}

async function answer(
  { runner, tokenizer, eosTokenIds }: LoadedModel,
  prompt: Prompt,
  rows: Float32Array,
  pruning: TokenPruning | undefined,
): Promise<string> {
  const tokens = rows.length / vision.width;
  const images = { token: vision.imageToken, texts: [vision.imageToken.repeat(tokens)] };
  const { ids } = tokenizer.encodePrompt(prompt, 4096, images);
  const start = ids.indexOf(vision.imageTokenId);
  const spans = [{ start, length: tokens, key: '', rows }];
  const plan = planPruning(pruning, runner.shape.layers, ids.length, spans);
  runner.cache.resize(1, ids.length + mostTokens);
  runner.cache.truncate(0, 0);
  const step = async (from: number, ids: readonly number[], pruning?: typeof plan) =>
    argmax(
      await runner.forward({
        firstLane: 0,
        lanes: 1,
        rows: ids.length,
        tokenIds: Int32Array.from(ids),
        logitRows: Int32Array.of(ids.length - 1),
        embedded: embeddedRows(spans, from, ids.length),
        ...(pruning && { pruning }),
      }),
    );
  const first = plan?.first ?? 0;
  if (first > 0) await step(0, ids.slice(0, first));
  const said = [await step(first, ids.slice(first), plan)];
  while (!eosTokenIds.includes(said.at(-1)!) && said.length < mostTokens) {
    said.push(await step(ids.length + said.length, said.slice(-1)));
  }
  return tokenizer.decode(said, { skipSpecialTokens: true });
}

/** Share of right answers over all items. */
async function accuracy(keep: number, reducer: Reducer, pruning: TokenPruning | undefined): Promise<number> {
  let right = 0;
  for (const { image, expect, messages } of set.items) {
    const part: ImagePart = {
      type: 'image',
      bytes: new Uint8Array(readFileSync(join(dirname(flags.set!), image))),
      detail: 'auto',
      param: image,
    };
    const content = messages[0]!.content.map(({ type, text }) =>
      type === 'image' ? part : ({ type: 'text', text: text! } as const),
    );
    const prompt: Prompt = {
      kind: 'chat',
      messages: [{ role: 'user', content }],
      addGenerationPrompt: true,
      continueFinalMessage: false,
    };
    if ((await answer(model, prompt, await rowsOf(part, keep, reducer), pruning)) === expect) right++;
  }
  return right / set.items.length;
}

const results: { keep: number; pruned: boolean; reducer: Reducer; accuracy: number }[] = [];
for (const keep of flags.keeps.split(',').map(Number)) {
  for (const pruned of [false, true]) {
    for (const reducer of keep === 1 ? reducers.slice(0, 1) : reducers) {
      const share = await accuracy(keep, reducer, pruned ? depth : undefined);
      results.push({ keep, pruned, reducer, accuracy: share });
      console.error(`keep ${keep}, ${reducer}${pruned ? ', pruned' : ''}: ${(100 * share).toFixed(1)} %`);
    }
  }
}
const cell = (keep: number, pruned: boolean, reducer: Reducer): string => {
  const found = results.find((r) => r.keep === keep && r.pruned === pruned && r.reducer === reducer);
  return found === undefined ? '–' : (100 * found.accuracy).toFixed(1);
};
const lines = [...new Set(results.map(({ keep }) => keep))].flatMap((keep) =>
  [false, true].map((pruned) => [
    `${keep}${pruned ? ', pruned' : ''}`,
    ...reducers.map((reducer) => cell(keep, pruned, reducer)),
  ]),
);
console.log(formatTable(['keep', ...reducers], lines));
console.log(JSON.stringify({ bench: 'visual-accuracy', items: set.items.length, depth, results }));
