/**
 * Draft verification end to end: the engine in its worker answers the same questions plainly and with drafts, prompt
 * by prompt in turn, for every way of drafting. `tsx draft-decoding.ts <checkpoint folder> int4 1,4 40 <set> …`:
 * sequences at a time, then questions of each set (`drafts/prompt-sets.ts`).
 *
 * Every way of drafting gets an engine of its own. The first half of the questions meets cold stores; the second,
 * which are other questions of the same categories, stores that the first half has warmed. Then the second half is
 * asked again, and once more with a `prediction` in which one word of ten is wrong.
 */

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { automaticDrafts, type DraftVerification } from '../src/core/efficiency.js';
import type { GenerateRequest, Usage } from '../src/core/messages.js';
import { engineConfigSchema } from '../src/engine/config.js';
import { EngineHost } from '../src/engine/host/engine-host.js';
import { parseChatRequest } from '../src/server/openai/chat-request.js';
import { threads } from './contenders/contender.js';
import { oneInTen } from './drafts/one-in-ten.js';
import { type Question, readQuestions } from './drafts/prompt-sets.js';
import { formatTable } from './table.js';

const maxTokens = 160;
const warmUps = 12;
const [folder, weights, sequencesText, limitText, ...sets] = process.argv.slice(2);
const model = basename(folder!);
const cacheDir = process.env.TRIMTAB_BENCH_CACHE ?? mkdtempSync(join(tmpdir(), 'trimtab-bench-'));

const methods: Readonly<Record<string, DraftVerification>> = {
  'prompt lookup (3, 10)': { ...automaticDrafts, method: 'prompt-lookup' },
  'aded-compat': { ...automaticDrafts, method: 'aded-compat' },
  'suffix of the context': { ...automaticDrafts, sources: ['context'] },
  'tri-grams': { ...automaticDrafts, sources: ['ngram'] },
  default: automaticDrafts,
};

interface Answer {
  readonly text: string;
  readonly tokens: number;
  /** From the first token to the last. */
  readonly decodeMs: number;
  readonly drafts: NonNullable<Usage['efficiency']>['draftVerification'];
}

async function openHost(): Promise<EngineHost> {
  const host = new EngineHost({
    models: [{ id: model, folder: folder!, weights: weights as 'int4', cacheDir, threads }],
    config: engineConfigSchema.parse({ drafts: { persist: false }, prefixCacheBytes: 0 }),
  });
  await host.loaded();
  // Code that runs for the first time is slow; these answers teach drafting nothing.
  for (const question of questions.slice(0, warmUps)) await answer(host, requestFor(question, false));
  return host;
}

function requestFor(
  { messages }: Question,
  drafts: DraftVerification | false,
  prediction?: string,
): GenerateRequest {
  const body = {
    model,
    messages,
    temperature: 0,
    seed: 1,
    max_tokens: maxTokens,
    ...(prediction !== undefined && { prediction: { type: 'content', content: prediction } }),
  };
  const { generate } = parseChatRequest(body, 'bench');
  return { ...generate, efficiency: { draftVerification: drafts } };
}

async function answer(host: EngineHost, request: GenerateRequest): Promise<Answer> {
  let text = '';
  for await (const event of host.generate(request, new AbortController().signal)) {
    if (event.type === 'delta') text += event.text;
    if (event.type !== 'end') continue;
    const { usage, timings } = event;
    const drafts = usage.efficiency?.draftVerification;
    return { text, tokens: usage.completionTokens, decodeMs: timings.decodeMs, drafts };
  }
  throw new Error('the engine ended without an answer');
}

function spoil(text: string): string {
  const draw = oneInTen();
  return text.replace(/\S+/g, (word) => (draw() === undefined ? word : 'blue'));
}

interface Total {
  plainMs: number;
  plainTokens: number;
  ms: number;
  tokens: number;
  steps: number;
  draftMs: number;
  differing: number;
}
type Totals = Map<string, Total>;

/** Asks plainly and with drafts in turn, `together` questions at a time. */
async function measure(
  hosts: { readonly plain: EngineHost; readonly drafting: EngineHost },
  questions: readonly Question[],
  drafts: DraftVerification,
  together: number,
  predict: (plain: string) => string | undefined,
): Promise<Totals> {
  const totals: Totals = new Map();
  for (let first = 0; first < questions.length; first += together) {
    const group = questions.slice(first, first + together);
    const plain = await timed(
      group.map((question) => () => answer(hosts.plain, requestFor(question, false))),
    );
    const drafted = await timed(
      group.map(
        (question, i) => () =>
          answer(hosts.drafting, requestFor(question, drafts, predict(plain.answers[i]!.text))),
      ),
    );
    const category = together === 1 ? group[0]!.category : 'together';
    add(totals, category, plain, drafted, together);
  }
  return totals;
}

async function timed(runs: readonly (() => Promise<Answer>)[]) {
  const startedAt = performance.now();
  const answers = await Promise.all(runs.map((run) => run()));
  return { answers, wallMs: performance.now() - startedAt };
}
type Timed = Awaited<ReturnType<typeof timed>>;

function add(totals: Totals, category: string, plain: Timed, drafted: Timed, together: number): void {
  const total = totals.get(category) ?? emptyTotal();
  totals.set(category, total);
  const msOf = ({ answers, wallMs }: Timed) => (together === 1 ? answers[0]!.decodeMs : wallMs);
  const tokensOf = ({ answers }: Timed) => answers.reduce((sum, { tokens }) => sum + tokens, 0);
  total.plainMs += msOf(plain);
  total.ms += msOf(drafted);
  total.plainTokens += tokensOf(plain);
  total.tokens += tokensOf(drafted);
  for (const [i, { text, tokens, drafts }] of drafted.answers.entries()) {
    total.steps += drafts === undefined ? tokens : drafts.draftedSteps + drafts.plainSteps;
    total.draftMs += drafts?.draftMs ?? 0;
    if (text !== plain.answers[i]!.text) total.differing++;
  }
}

const emptyTotal = (): Total => ({
  plainMs: 0,
  plainTokens: 0,
  ms: 0,
  tokens: 0,
  steps: 0,
  draftMs: 0,
  differing: 0,
});

function sum(totals: Iterable<Total>): Total {
  const all = emptyTotal();
  for (const total of totals) {
    for (const key of Object.keys(all) as (keyof Total)[]) all[key] += total[key];
  }
  return all;
}

/** Ratio of tokens per second. */
const speedUp = ({ plainMs, plainTokens, ms, tokens }: Total): number =>
  tokens / ms / (plainTokens / plainMs);

const questions = sets.flatMap((path) => readQuestions(path, Number(limitText)));
const halves = [0, 1].map((half) => questions.filter((_, i) => i % 2 === half)) as [Question[], Question[]];
const plain = await openHost();
const figures: object[] = [];
for (const together of sequencesText!.split(',').map(Number)) {
  const rows: string[][] = [];
  const report = (name: string, totals: Totals) => {
    const all = sum(totals.values());
    const ratios = [...totals.values()].map(speedUp);
    const categories = Object.fromEntries([...totals].map(([category, total]) => [category, speedUp(total)]));
    figures.push({ name, together, speedUp: speedUp(all), categories, ...all });
    rows.push([
      name,
      speedUp(all).toFixed(3),
      ratios.length < 2 ? '' : `${Math.min(...ratios).toFixed(2)} – ${Math.max(...ratios).toFixed(2)}`,
      (all.tokens / all.steps).toFixed(2),
      ((1000 * all.draftMs) / all.steps).toFixed(0),
      `${all.differing}`,
    ]);
  };
  for (const [name, drafts] of Object.entries(methods)) {
    const hosts = { plain, drafting: await openHost() };
    const none = () => undefined;
    report(`${name}, cold`, await measure(hosts, halves[0], drafts, together, none));
    report(`${name}, warm`, await measure(hosts, halves[1], drafts, together, none));
    if (name === 'default') {
      report(`${name}, asked again`, await measure(hosts, halves[1], drafts, together, none));
      report(`${name}, prediction`, await measure(hosts, halves[0], drafts, together, spoil));
    }
    await hosts.drafting.close(0);
  }
  const title = `${model} ${weights}, ${together} at a time`;
  console.log(formatTable([title, 'speed-up', 'categories', 'tokens/step', 'draft µs', 'differing'], rows));
}
await plain.close(0);
console.log(JSON.stringify({ model, weights, questions: questions.length, figures }));
