/**
 * Draft verification against plain decoding and against other drafters, on recorded answers and with what steps
 * cost on this machine: `tsx draft-verification.ts 135m int4 <questions.jsonl> <answers.jsonl> [<steps.json>]`.
 * The files are MT-Bench's questions and recorded answers to them (FastChat and REST on GitHub). With a fifth
 * argument the measured costs are written there, or read if the file exists.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import llama from 'llama-tokenizer-js';
import { draftSources } from '../src/core/efficiency.js';
import type { StepTiming } from '../src/decoding/speculative/cost-model.js';
import { AdedCompat } from '../src/decoding/speculative/published/aded-compat.js';
import { promptLookup } from '../src/decoding/speculative/published/prompt-lookup.js';
import { loadRunner } from './bench-runner.js';
import { ceiling } from './drafts/ceiling.js';
import { inHalves } from './drafts/in-halves.js';
import { guessedTokens } from './drafts/one-in-ten.js';
import { type RecordedTurn, readRecordedTurns } from './drafts/recorded-turns.js';
import { adaptive, fixed, type ReplayDrafter, type Replayed, speedUp, sum } from './drafts/replay.js';
import { stepTimings } from './drafts/step-timings.js';
import type { ModelName } from './shapes.js';
import { formatNumber, formatTable } from './table.js';
import type { TrimtabWeights } from './trimtab-server.js';

const [model, weights, questions, answers, stepsFile] = process.argv.slice(2);

async function measuredSteps(): Promise<readonly StepTiming[]> {
  if (stepsFile !== undefined && existsSync(stepsFile)) return JSON.parse(readFileSync(stepsFile, 'utf8'));
  const runner = await loadRunner(model as ModelName, weights as TrimtabWeights);
  const timings = await stepTimings(runner);
  await runner.close();
  if (stepsFile !== undefined) writeFileSync(stepsFile, JSON.stringify(timings));
  return timings;
}

const timings = await measuredSteps();
const turns = readRecordedTurns(questions!, answers!, (text) => llama.encode(text, false, true));
const guessed = turns.map((turn): RecordedTurn => ({ ...turn, prediction: guessedTokens(turn.answer) }));
const categories = [...new Set(turns.map(({ category }) => category))];

interface Row {
  readonly name: string;
  readonly drafter: ReplayDrafter;
  readonly turns: readonly RecordedTurn[];
}
const everything = adaptive(timings, draftSources);
const rows: Row[] = [
  { name: 'plain', drafter: fixed(timings, { draft: () => ({ tokens: [], parents: [] }) }), turns },
  { name: 'prompt lookup (3, 10)', drafter: fixed(timings, promptLookup), turns },
  { name: 'aded-compat', drafter: fixed(timings, new AdedCompat()), turns },
  { name: 'suffix of the context', drafter: adaptive(timings, ['context']), turns },
  { name: 'tri-grams', drafter: adaptive(timings, ['ngram']), turns },
  { name: 'default, cold', drafter: everything, turns },
  { name: 'default, cold, in halves', drafter: inHalves(timings, draftSources, turns, false), turns },
  { name: 'the same, with a corpus', drafter: inHalves(timings, draftSources, turns, true), turns },
  { name: 'default, asked again', drafter: everything, turns },
  { name: 'default, prediction 90 % right', drafter: adaptive(timings, draftSources), turns: guessed },
];
const results = rows.map(({ name, drafter, turns: asked }) => {
  const done = asked.map((turn) => ({ category: turn.category, replayed: drafter(turn) }));
  const perCategory = categories.map((category) =>
    sum(done.filter((entry) => entry.category === category).map(({ replayed }) => replayed)),
  );
  return { name, total: sum(perCategory), perCategory };
});
const cells = ({ tokens, steps, rows: width, draftMs }: Replayed) => [
  formatNumber(tokens / steps),
  formatNumber(width / steps),
  formatNumber((1000 * draftMs) / steps),
];
console.log(
  formatTable(
    [`${model} ${weights}`, 'tokens/step', 'rows', 'draft µs', 'speed-up', ...categories],
    results.map(({ name, total, perCategory }) => [
      name,
      ...cells(total),
      speedUp(total).toFixed(2),
      ...perCategory.map((part) => speedUp(part).toFixed(2)),
    ]),
  ),
);
const ceilings = { drafts: ceiling(timings, turns), prediction: ceiling(timings, guessed) };
console.log(`with these costs no drafts give more than ${ceilings.drafts.toFixed(2)} of plain decoding,`);
console.log(`and none from these predictions more than ${ceilings.prediction.toFixed(2)}`);
/** Verifying costs nothing, up to 64 rows. */
const free = [1, 64].map((rows): StepTiming => ({ rows, context: 64, ms: 1000 }));
for (const withCorpus of [false, true]) {
  const total = sum(turns.map(inHalves(free, draftSources, turns, withCorpus)));
  const what = withCorpus ? 'with a corpus of the other half' : 'in halves';
  console.log(`if rows cost nothing, ${what}: ${formatNumber(total.tokens / total.steps)} tokens/step`);
}
const figures = results.map(({ name, total }) => ({
  name,
  speedUp: speedUp(total),
  tokensPerStep: total.tokens / total.steps,
}));
console.log(JSON.stringify({ model, weights, timings, figures, ceilings }));
