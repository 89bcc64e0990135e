/**
 * Records greedy answers of a checkpoint as token ids, a turn a line, to replay drafting on:
 * `tsx record-answers.ts <checkpoint folder> <questions of each set> <set> … > turns.jsonl` (`drafts/prompt-sets.ts`).
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel } from '../src/engine/model-loader.js';
import { parseChatRequest } from '../src/server/openai/chat-request.js';
import { threads } from './contenders/contender.js';
import { LocalEngine } from './drafts/local-engine.js';
import { type Question, readQuestions } from './drafts/prompt-sets.js';
import type { RecordedTurn } from './drafts/recorded-turns.js';

const maxTokens = 160;
const [folder, limit, ...sets] = process.argv.slice(2);

async function record({ category, messages }: Question): Promise<RecordedTurn> {
  const body = { model: 'model', messages, temperature: 0, max_tokens: maxTokens, logprobs: true };
  const { generate } = parseChatRequest(body, 'record');
  const prompt = model.tokenizer.encodePrompt(generate.prompt).ids;
  const answer: number[] = [];
  for await (const event of engine.generate({ ...generate, efficiency: { draftVerification: false } })) {
    if (event.type === 'delta') answer.push(...(event.logprobs ?? []).map(({ id }) => id));
  }
  return { category, prompt, answer };
}

const cacheDir = mkdtempSync(join(tmpdir(), 'trimtab-bench-'));
const model = await loadModel({ id: 'model', folder: folder!, weights: 'fp32', cacheDir, threads });
const engine = new LocalEngine(model);
for (const set of sets) {
  for (const question of readQuestions(set, Number(limit))) {
    process.stdout.write(`${JSON.stringify(await record(question))}\n`);
  }
}
await model.runner.close();
rmSync(cacheDir, { recursive: true });
