/**
 * Draft verification end to end on larger shapes: the real engine over random weights, whose likeliest token is at every
 * row that of a recorded answer (`drafts/recorded-model.ts`). Time is real, text is real, only the weights are not; what
 * the model nearly said instead is noise, so drafts from its rankings find nothing here.
 *
 *   tsx draft-recorded.ts --model 135m --weights int4 --lanes 1 --turns 2 <questions.jsonl> <answers.jsonl>
 *
 * `--turns` are those of each category for cold stores; as many others of the same categories follow with stores that
 * the first have warmed. Then those that came last are asked again, and the first once more with a `prediction` in which one token of
 * ten is wrong; the last two for the default only. Plain decoding and every way of drafting take turns prompt by prompt,
 * each in an engine of its own over the same weights in memory. `--methods` and `--conditions` name some of them, separated
 * by commas; `--lanes 4` asks four turns at a time; `--context 4096` puts so many tokens of other dialogues before each prompt;
 * `--threads` are those of the engine; `--steps <file>` keeps every decode step.
 */

import { parseArgs } from 'node:util';
import llama from 'llama-tokenizer-js';
import type { GenerateRequest } from '../src/core/messages.js';
import { loadModel } from '../src/engine/model-loader.js';
import { parseCompletionRequest } from '../src/server/openai/completion-request.js';
import { threads as usualThreads } from './contenders/contender.js';
import { askTogether, type Round } from './drafts/answers.js';
import { figureCells, figuresOf, figureTitles, type Pair, speedUps } from './drafts/figures.js';
import { LocalEngine } from './drafts/local-engine.js';
import { methods } from './drafts/methods.js';
import { guessedTokens } from './drafts/one-in-ten.js';
import { recordedModel } from './drafts/recorded-model.js';
import { type RecordedTurn, readRecordedTurns } from './drafts/recorded-turns.js';
import { StepLog } from './drafts/step-log.js';
import { ensureCheckpoint } from './random-checkpoint.js';
import type { ModelName } from './shapes.js';
import { formatTable } from './table.js';
import { compiledFolder } from './trimtab-server.js';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: '135m' },
    weights: { type: 'string', default: 'int4' },
    lanes: { type: 'string', default: '1' },
    turns: { type: 'string', default: '2' },
    tokens: { type: 'string', default: '512' },
    context: { type: 'string', default: '0' },
    threads: { type: 'string', default: `${usualThreads}` },
    methods: { type: 'string', default: Object.keys(methods).join() },
    conditions: { type: 'string', default: 'cold,warm,again,prediction' },
    steps: { type: 'string' },
  },
});
const model = flags.model as ModelName;
const lanes = Number(flags.lanes);
const maxTokens = Number(flags.tokens);
const count = Number(flags.turns);
const threads = Number(flags.threads);
/** Of Llama's tokenizer, which the recorded answers are read with. */
const END = 2;
const PLAIN = 'plain';

function readTurns(): RecordedTurn[] {
  const [questions, answers] = positionals;
  const turns = readRecordedTurns(questions!, answers!, (text) => llama.encode(text, false, true));
  const others = someOfEach(turns, 2 * count + 1, turns.length);
  return turns.map((turn, i) => ({
    ...turn,
    prompt: [...textOf(others, i, Number(flags.context)), ...turn.prompt],
    answer: [...turn.answer, END].slice(0, maxTokens),
  }));
}

/** So many tokens of dialogues, from number `from` on. */
function textOf(turns: readonly RecordedTurn[], from: number, tokens: number): number[] {
  const text: number[] = [];
  for (let i = from; text.length < tokens; i++) {
    const { prompt, answer } = turns[i % turns.length]!;
    text.push(...prompt, ...answer);
  }
  return text.slice(0, tokens);
}

/** Of each category `count` turns from number `from` on. */
function someOfEach(turns: readonly RecordedTurn[], from: number, count: number): RecordedTurn[] {
  const categories = [...new Set(turns.map(({ category }) => category))];
  return categories.flatMap((category) =>
    turns.filter((turn) => turn.category === category).slice(from, from + count),
  );
}

async function openModel(turns: readonly RecordedTurn[]) {
  const folder = await ensureCheckpoint(model);
  const weights = flags.weights as 'int4' | 'int8' | 'fp32';
  return recordedModel(
    await loadModel({ id: model, folder, weights, cacheDir: compiledFolder(model), threads }),
    turns,
    END,
  );
}

function requestFor({ prompt, prediction }: RecordedTurn, method: string): GenerateRequest {
  const body = { model, prompt, max_tokens: maxTokens, temperature: 0 };
  const [generate] = parseCompletionRequest(body, 'bench').generate;
  return {
    ...generate!,
    efficiency: { draftVerification: methods[method] ?? false },
    ...(prediction !== undefined && { prediction: prediction.join(' ') }),
  };
}

type Engines = ReadonlyMap<string, LocalEngine>;
/** An engine that has drafted nothing yet for each of the names. */
const openEngines = (names: readonly string[]): Engines =>
  new Map(names.map((name) => [name, new LocalEngine(loaded)]));

/** Asks plainly and in every way of drafting, in an order that moves on from prompt to prompt. */
async function compare(
  condition: string,
  turns: readonly RecordedTurn[],
  engines: Engines,
): Promise<Map<string, Pair[]>> {
  const pairs = new Map<string, Pair[]>();
  for (let first = 0; first < turns.length; first += lanes) {
    const group = turns.slice(first, first + lanes);
    const rounds = new Map<string, Round>();
    for (const [method, engine] of rotated([...engines], first / lanes)) {
      log?.begin({ model, weights: flags.weights, condition, method });
      const requests = group.map((turn) => requestFor(turn, method));
      rounds.set(method, await askTogether((request) => engine.generate(request), requests));
    }
    const { category } = group[0]!;
    for (const [method, drafted] of rounds) {
      requireRecorded(group, drafted);
      const known = pairs.get(method) ?? [];
      pairs.set(method, [...known, { category, plain: rounds.get(PLAIN)!, drafted }]);
    }
  }
  pairs.delete(PLAIN);
  return pairs;
}

function rotated<T>(items: readonly T[], by: number): T[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** Whatever was drafted, the answer must be the recorded one. */
function requireRecorded(turns: readonly RecordedTurn[], { answers }: Round): void {
  for (const [i, { answer }] of turns.entries()) {
    const said = answer.at(-1) === END ? answer.slice(0, -1) : answer;
    if (answers[i]!.text !== loaded.tokenizer.decode(said, { skipSpecialTokens: true })) {
      throw new Error(`a turn of ${turns[i]!.category} was not answered as recorded`);
    }
  }
}

const turns = readTurns();
const loaded = await openModel(turns);
const log = flags.steps === undefined ? undefined : new StepLog(flags.steps);
log?.watch(loaded.runner);
const [some, others] = [someOfEach(turns, 0, count), someOfEach(turns, count, count)];
const wanted = flags.methods.split(',');
const conditions = flags.conditions.split(',');

// Code that runs for the first time is slow; what these engines learn is forgotten.
await compare(
  'warm-up',
  someOfEach(turns, 2 * count, 1).slice(0, 2 * lanes),
  openEngines([PLAIN, ...wanted]),
);

const all = openEngines([PLAIN, ...wanted]);
const onlyDefault: Engines = new Map([...all].filter(([name]) => name === PLAIN || name === 'default'));
const runs: readonly (readonly [condition: string, () => Promise<Map<string, Pair[]>>])[] = [
  ['cold', () => compare('cold', some, all)],
  ['warm', () => compare('warm', others, all)],
  ['again', () => compare('again', conditions.includes('warm') ? others : some, onlyDefault)],
  [
    'prediction',
    () =>
      compare(
        'prediction',
        some.map((turn) => ({ ...turn, prediction: guessedTokens(turn.answer) })),
        onlyDefault,
      ),
  ],
];
const figures: object[] = [];
for (const [condition, run] of runs) {
  if (!conditions.includes(condition)) continue;
  const rows: string[][] = [];
  for (const [method, pairs] of await run()) {
    rows.push([method, ...figureCells(pairs)]);
    figures.push({ method, condition, ...figuresOf(pairs), categories: speedUps(pairs) });
  }
  const title = `${model} ${flags.weights}, ${lanes} at a time, ${condition}`;
  console.log(formatTable([title, ...figureTitles], rows));
}
log?.flush();
await loaded.runner.close();
const peakMebibytes = process.resourceUsage().maxRSS / 1024;
console.log(`peak memory of all engines together ${peakMebibytes.toFixed(0)} MiB`);
console.log(JSON.stringify({ bench: 'draft-recorded', ...flags, peakMebibytes, figures }));
