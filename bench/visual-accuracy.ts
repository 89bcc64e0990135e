/**
 * What a model still answers right when its images have fewer tokens: merging and pooling against keeping every so
 * many-th token and against dropping at random, at equal counts, with and without pruning in the decoder.
 *
 *   npx tsx visual-accuracy.ts --model <folder> --set <calm.json> [--set <crowded.json>] [--keeps 1,0.5,0.25,0.125]
 *     [--stride 1] [--reducers merged,random] [--start 0.5 --end 0.786] [--plot accuracy.svg] [--json results.json]
 *
 * For models whose image is one run of tokens (LLaVA-1.5 and its like). Greedy, fp32. Pooled images may have fewer
 * tokens than asked, since their grid is square. Every n-th token is the mean over up to four places to begin.
 * Differences are those from the same questions with all tokens; their standard error is that of paired answers.
 */

import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { closeModel } from '../src/engine/loaded-model.js';
import { loadModel } from '../src/engine/model-loader.js';
import { accuracyPlot, type PlottedSet } from './visual/accuracy-plot.js';
import { lossTable, points, taskTable } from './visual/accuracy-tables.js';
import { lossOf, mean, measure, type Result, type Setting } from './visual/measure.js';
import { type Question, readQuestions } from './visual/questions.js';
import { reducers } from './visual/reducers.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    set: { type: 'string', multiple: true },
    keeps: { type: 'string', default: '1,0.5,0.25,0.125' },
    stride: { type: 'string', default: '1' },
    start: { type: 'string', default: '0.5' },
    end: { type: 'string', default: '0.786' },
    reducers: { type: 'string', default: reducers.join() },
    plot: { type: 'string' },
    json: { type: 'string' },
  },
});

const model = await loadModel({
  id: 'model',
  folder: flags.model!,
  weights: 'fp32',
  cacheDir: join(tmpdir(), 'trimtab-visual-accuracy'),
  threads: 1,
});
const depth = { start: Number(flags.start), end: Number(flags.end) };

/** All tokens first; how they are reduced is of no matter there. */
const settings: Setting[] = flags.keeps.split(',').flatMap((text) => {
  const asked = reducers.filter((reducer) => flags.reducers.split(',').includes(reducer));
  const keep = Number(text);
  return (keep === 1 ? asked.slice(0, 1) : asked).flatMap((reducer) =>
    [false, true].map((pruned) => ({ keep, reducer, pruned })),
  );
});

async function measureSet(name: string, questions: readonly Question[]): Promise<Result[]> {
  const results: Result[] = [];
  for (const setting of settings) {
    const result = await measure(model, questions, setting, depth);
    results.push(result);
    const { loss, error } = lossOf(result, results[0]!);
    const { keep, reducer, pruned } = setting;
    console.error(
      `${name}, keep ${keep}, ${reducer}${pruned ? ', pruned' : ''}: ${points(mean(result.right))} %, ` +
        `${points(loss)} ± ${points(error)} lost, ${(results[0]!.flops / result.flops).toFixed(2)}× fewer operations`,
    );
  }
  return results;
}

const sets: (PlottedSet & { readonly questions: number })[] = [];
for (const path of flags.set!) {
  const name = basename(path, '.json');
  const questions = readQuestions(path, Number(flags.stride));
  const results = await measureSet(name, questions);
  console.log(lossTable(name, results));
  for (const pruned of [false, true]) console.log(taskTable(questions, results, pruned));
  const summary = results.map(({ right, ...rest }) => ({ ...rest, accuracy: mean(right) }));
  sets.push({ name, questions: questions.length, results: summary });
}
await closeModel(model);
if (flags.plot !== undefined) writeFileSync(flags.plot, accuracyPlot(sets));
if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(sets));
console.log(JSON.stringify({ bench: 'visual-accuracy', depth, sets }));
