/**
 * What each part of drafting is worth: recorded answers replayed (`drafts/replay.ts`) with one part taken away at a time,
 * cold and asked again. `tsx draft-ablations.ts <questions.jsonl> <answers.jsonl> [<steps.json>]`; the steps are those
 * that `draft-verification.ts` measured, without them the curves of `drafts/cost-curves.ts` hold.
 */

import { readFileSync } from 'node:fs';
import llama from 'llama-tokenizer-js';
import { type DraftSourceName, draftSources } from '../src/core/efficiency.js';
import type { StepTiming } from '../src/decoding/speculative/cost-model.js';
import { costCurves } from './drafts/cost-curves.js';
import { NaiveCalibrator } from './drafts/naive-calibrator.js';
import { readRecordedTurns } from './drafts/recorded-turns.js';
import { type Ablation, adaptive, speedUp, sum } from './drafts/replay.js';
import { formatTable } from './table.js';

const [questions, answers, stepsFile] = process.argv.slice(2);
const turns = readRecordedTurns(questions!, answers!, (text) => llama.encode(text, false, true));
const curves: Readonly<Record<string, readonly StepTiming[]>> =
  stepsFile === undefined ? costCurves : { measured: JSON.parse(readFileSync(stepsFile, 'utf8')) };

interface Variant extends Ablation {
  readonly name: string;
  readonly sources: readonly DraftSourceName[];
}
const without = (name: DraftSourceName): Variant => {
  return { name: `without ${name}`, sources: draftSources.filter((source) => source !== name) };
};
const everything = (name: string, ablation: () => Ablation = () => ({})) => ({
  name,
  sources: draftSources,
  ...ablation(),
});
/** Made anew for each curve: a calibrator remembers. */
const variants = (): Variant[] => [
  everything('everything'),
  without('context'),
  without('history'),
  without('ngram'),
  everything('largest of separate chances', () => ({ calibrator: new NaiveCalibrator() })),
  ...[4, 8, 16, 64].map((rows) => everything(`always ${rows} rows`, () => ({ rows }))),
];

const figures = Object.entries(curves).flatMap(([curve, timings]) =>
  variants().map(({ name, sources, ...ablation }) => {
    const drafter = adaptive(timings, sources, ablation);
    const [cold, again] = [sum(turns.map(drafter)), sum(turns.map(drafter))];
    const tokensPerStep = cold.tokens / cold.steps;
    return { curve, name, tokensPerStep, cold: speedUp(cold), again: speedUp(again) };
  }),
);
for (const curve of Object.keys(curves)) {
  const rows = figures.filter((figure) => figure.curve === curve);
  console.log(
    formatTable(
      [curve, 'tokens/step', 'cold', 'asked again'],
      rows.map(({ name, tokensPerStep, cold, again }) => [
        name,
        ...[tokensPerStep, cold, again].map((value) => value.toFixed(3)),
      ]),
    ),
  );
}
console.log(JSON.stringify({ bench: 'draft-ablations', figures }));
