/**
 * What a model still answers right when its images have fewer tokens: merging and pooling against keeping every so
 * many-th token and against dropping at random, at equal counts, with and without pruning in the decoder.
 *
 *   npx tsx visual-accuracy.ts --model <folder> --set <look.json> [--keeps 1,0.5,0.25,0.125] [--stride 1]
 *     [--reducers merged,random] [--start 0.5 --end 0.786] [--plot accuracy.svg] [--json results.json]
 *
 * For models whose image is one run of tokens (LLaVA-1.5 and its like). Greedy, fp32. Pooled images may have fewer
 * tokens than asked, since their grid is square. Differences are those from the same questions with all tokens; their
 * standard error is that of paired answers.
 */

import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { TokenPruning } from '../src/core/efficiency.js';
import { loadModel } from '../src/engine/model-loader.js';
import { formatTable } from './table.js';
import { accuracyPlot } from './visual/accuracy-plot.js';
import { greedyAnswer } from './visual/greedy-answer.js';
import { readQuestions } from './visual/questions.js';
import { type Reducer, reducedRows, reducers } from './visual/reducers.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    set: { type: 'string' },
    keeps: { type: 'string', default: '1,0.5,0.25,0.125' },
    stride: { type: 'string', default: '1' },
    start: { type: 'string', default: '0.5' },
    end: { type: 'string', default: '0.786' },
    reducers: { type: 'string', default: reducers.join() },
    plot: { type: 'string' },
    json: { type: 'string' },
  },
});

const questions = readQuestions(flags.set!, Number(flags.stride));
const model = await loadModel({
  id: 'model',
  folder: flags.model!,
  weights: 'fp32',
  cacheDir: join(tmpdir(), 'trimtab-visual-accuracy'),
  threads: 1,
});
const depth: TokenPruning = { start: Number(flags.start), end: Number(flags.end) };
/** Draws of random dropping, which are averaged. */
const randomSeeds = [1, 2];

interface Result {
  readonly keep: number;
  readonly reducer: Reducer;
  readonly pruned: boolean;
  /** Tokens of an image. */
  readonly tokens: number;
  /** For each question whether it was answered right, a share where it was asked more than once. */
  readonly right: readonly number[];
  /** Mean operations of a prompt. */
  readonly flops: number;
}

async function measure(keep: number, reducer: Reducer, pruned: boolean): Promise<Result> {
  const seeds = reducer === 'random' ? randomSeeds : [0];
  const right = questions.map(() => 0);
  let [flops, tokens] = [0, 0];
  for (const seed of seeds) {
    for (const [i, question] of questions.entries()) {
      const rows = await reducedRows(model.vision!, question.image, keep, reducer, seed * 1000 + i);
      const { text, promptFlops } = await greedyAnswer(model, question, rows, pruned ? depth : undefined);
      if (text === question.expect) right[i]! += 1 / seeds.length;
      flops += promptFlops / questions.length / seeds.length;
      tokens = rows.length / model.vision!.width;
    }
  }
  return { keep, reducer, pruned, tokens, right, flops };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const points = (share: number): string => (100 * share).toFixed(1);

/** The loss against all tokens, and its standard error. */
function lossOf({ right }: Result, dense: Result): { loss: number; error: number } {
  const lost = right.map((share, i) => dense.right[i]! - share);
  const loss = mean(lost);
  const variance = mean(lost.map((value) => (value - loss) ** 2));
  return { loss, error: Math.sqrt(variance / lost.length) };
}

const asked = reducers.filter((reducer) => flags.reducers.split(',').includes(reducer));
const keeps = flags.keeps.split(',').map(Number);
const results: Result[] = [];
for (const keep of keeps) {
  for (const reducer of keep === 1 ? asked.slice(0, 1) : asked) {
    for (const pruned of [false, true]) {
      const result = await measure(keep, reducer, pruned);
      results.push(result);
      const { loss, error } = lossOf(result, results[0]!);
      console.error(
        `keep ${keep}, ${reducer}${pruned ? ', pruned' : ''}: ${points(mean(result.right))} %, ` +
          `${points(loss)} ± ${points(error)} lost, ${(results[0]!.flops / result.flops).toFixed(2)}× fewer operations`,
      );
    }
  }
}

const [dense] = results as [Result];
console.log(
  formatTable(
    ['keep', 'tokens', 'right %', 'lost', '±', 'fewer operations'],
    results.map((result) => {
      const { loss, error } = lossOf(result, dense);
      const name = `${result.keep} ${result.keep === 1 ? 'all' : result.reducer}${result.pruned ? ', pruned' : ''}`;
      const fewer = `${(dense.flops / result.flops).toFixed(2)}×`;
      return [name, String(result.tokens), points(mean(result.right)), points(loss), points(error), fewer];
    }),
  ),
);

const tasks = [...new Set(questions.map(({ task }) => task))].sort();
const ofTask = ({ right }: Result, task: string): number =>
  mean(right.filter((_, i) => questions[i]!.task === task));
for (const pruned of [false, true]) {
  const columns = results.filter((result) => result.pruned === pruned);
  console.log(
    formatTable(
      [
        pruned ? 'pruned' : 'task',
        ...columns.map(({ keep, reducer }) => (keep === 1 ? 'all' : `${keep} ${reducer}`)),
      ],
      tasks.map((task) => [task, ...columns.map((result) => points(ofTask(result, task)))]),
    ),
  );
}

const summary = results.map(({ keep, reducer, pruned, tokens, right, flops }) => ({
  keep,
  reducer,
  pruned,
  tokens,
  accuracy: mean(right),
  flops,
}));
if (flags.plot !== undefined) writeFileSync(flags.plot, accuracyPlot(summary));
if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(summary));
console.log(
  JSON.stringify({ bench: 'visual-accuracy', questions: questions.length, depth, results: summary }),
);
