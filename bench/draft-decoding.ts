/**
 * Draft verification end to end: the engine in its worker answers the same questions plainly and with drafts, prompt
 * by prompt in turn, for every way of drafting. `tsx draft-decoding.ts <checkpoint folder> int4 1,4 40 <set> …`:
 * sequences at a time, then questions of each set (`drafts/prompt-sets.ts`).
 *
 * Every way of drafting gets an engine of its own. The first half of the questions meets cold stores; the second,
 * which are other questions of the same categories, stores that the first half has warmed. Then the second half is
 * asked again, and once more with a `prediction` in which one word of ten is wrong.
 *
 * `--sampling greedy,drawn` also draws at temperature 0.7 and top_p 0.95 with a fixed seed; `--methods` names some ways
 * of drafting, separated by commas; `--steps <file>` keeps every decode step as a JSON line.
 */

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { automaticDrafts, type DraftVerification } from '../src/core/efficiency.js';
import type { GenerateRequest } from '../src/core/messages.js';
import { engineConfigSchema } from '../src/engine/config.js';
import { EngineHost } from '../src/engine/host/engine-host.js';
import { parseChatRequest } from '../src/server/openai/chat-request.js';
import { threads } from './contenders/contender.js';
import { askTogether, type Generate } from './drafts/answers.js';
import { figureCells, figuresOf, figureTitles, type Pair, speedUps } from './drafts/figures.js';
import { loggedLoader } from './drafts/logged-model.js';
import { methods } from './drafts/methods.js';
import { oneInTen } from './drafts/one-in-ten.js';
import { type Question, readQuestions } from './drafts/prompt-sets.js';
import { formatTable } from './table.js';

const maxTokens = 160;
const warmUps = 12;
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sampling: { type: 'string', default: 'greedy' },
    methods: { type: 'string', default: Object.keys(methods).join() },
    steps: { type: 'string' },
  },
});
const [folder, weights, sequencesText, limitText, ...sets] = positionals;
const model = basename(folder!);
const cacheDir = process.env.TRIMTAB_BENCH_CACHE ?? mkdtempSync(join(tmpdir(), 'trimtab-bench-'));

const samplings = {
  greedy: { temperature: 0 },
  drawn: { temperature: 0.7, top_p: 0.95 },
} as const;
type Sampling = keyof typeof samplings;

interface Host {
  readonly generate: Generate;
  close(): Promise<void>;
}

/** `name` is what the steps are logged under. */
async function openHost(name: string): Promise<Host> {
  const host = new EngineHost({
    models: [{ id: name, folder: folder!, weights: weights as 'int4', cacheDir, threads }],
    config: engineConfigSchema.parse({ drafts: { persist: false }, prefixCacheBytes: 0 }),
    ...(flags.steps !== undefined && { loader: loggedLoader(flags.steps) }),
  });
  await host.loaded();
  const generate: Generate = (request) =>
    host.generate({ ...request, model: name }, new AbortController().signal);
  // Code that runs for the first time is slow; these answers teach drafting nothing.
  for (const question of questions.slice(0, warmUps)) {
    await askTogether(generate, [requestFor(question, 'greedy', false)]);
  }
  return { generate, close: () => host.close(0) };
}

function requestFor(
  { messages }: Question,
  sampling: Sampling,
  drafts: DraftVerification | false,
  prediction?: string,
): GenerateRequest {
  const body = {
    model,
    messages,
    ...samplings[sampling],
    seed: 1,
    max_tokens: maxTokens,
    ...(prediction !== undefined && { prediction: { type: 'content', content: prediction } }),
  };
  const { generate } = parseChatRequest(body, 'bench');
  return { ...generate, efficiency: { draftVerification: drafts } };
}

function spoil(text: string): string {
  const draw = oneInTen();
  return text.replace(/\S+/g, (word) => (draw() === undefined ? word : 'blue'));
}

interface Way {
  readonly drafting: Host;
  readonly drafts: DraftVerification;
  readonly sampling: Sampling;
  /** Questions at a time. */
  readonly together: number;
}

/** Asks plainly and with drafts in turn. */
async function measure(
  { drafting, drafts, sampling, together }: Way,
  questions: readonly Question[],
  predict: (plain: string) => string | undefined = () => undefined,
): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let first = 0; first < questions.length; first += together) {
    const group = questions.slice(first, first + together);
    const plainly = group.map((question) => requestFor(question, sampling, false));
    const plain = await askTogether(plainHost.generate, plainly);
    const requests = group.map((question, i) =>
      requestFor(question, sampling, drafts, predict(plain.answers[i]!.text)),
    );
    const drafted = await askTogether(drafting.generate, requests);
    pairs.push({ category: together === 1 ? group[0]!.category : 'together', plain, drafted });
  }
  return pairs;
}

const questions = sets.flatMap((path) => readQuestions(path, Number(limitText)));
const halves = [0, 1].map((half) => questions.filter((_, i) => i % 2 === half)) as [Question[], Question[]];
const plainHost = await openHost('plain');
const figures: object[] = [];

async function compare(sampling: Sampling, together: number): Promise<void> {
  const rows: string[][] = [];
  const report = (name: string, pairs: readonly Pair[]) => {
    figures.push({ name, sampling, together, ...figuresOf(pairs), categories: speedUps(pairs) });
    rows.push([name, ...figureCells(pairs)]);
  };
  for (const name of flags.methods.split(',')) {
    const way = { drafting: await openHost(name), drafts: methods[name]!, sampling, together };
    report(`${name}, cold`, await measure(way, halves[0]));
    report(`${name}, warm`, await measure(way, halves[1]));
    if (way.drafts === automaticDrafts) {
      report(`${name}, asked again`, await measure(way, halves[1]));
      report(`${name}, prediction`, await measure(way, halves[0], spoil));
    }
    await way.drafting.close();
  }
  const title = `${model} ${weights}, ${sampling}, ${together} at a time`;
  console.log(formatTable([title, ...figureTitles], rows));
}

for (const sampling of flags.sampling.split(',') as Sampling[]) {
  for (const together of sequencesText!.split(',').map(Number)) await compare(sampling, together);
}
await plainHost.close();
const peakMebibytes = process.resourceUsage().maxRSS / 1024;
console.log(`peak memory of the engines together ${peakMebibytes.toFixed(0)} MiB`);
console.log(
  JSON.stringify({
    bench: 'draft-decoding',
    model,
    weights,
    questions: questions.length,
    peakMebibytes,
    figures,
  }),
);
