/**
 * Greedy tokens of real graphs under drafters that mean no good: every draft is verified at full width, whatever it
 * costs, and the tokens that come are those of plain decoding. It is the step of the engine without its judgement
 * of what is worth drafting.
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptDraft } from '../../src/decoding/speculative/acceptance.js';
import type { ModelRunner } from '../../src/engine/runner/model-runner.js';
import { argmax, greedy, loadFixture } from '../helpers/fixture-model.js';
import { sized } from '../helpers/full-size.js';
import { type DraftTree, feed, feedTrees, lastRow, reset } from '../helpers/lanes.js';
import { seededRandom, seededTokens } from '../helpers/seeded.js';

const PROMPTS = sized(10, 200);
const TOKENS = sized(64, 256);
const PATIENCE_MS = 1_200_000;
const DEEPEST = 24;
const WIDEST = 63;

/** Drafts below the last of `tokens`; `answer` is what plain decoding gives, this far and further. */
type Adversary = (tokens: readonly number[], answer: readonly number[], vocab: number) => DraftTree;

const chainOf = (tokens: readonly number[]): DraftTree => ({ tokens, parents: tokens.map((_, i) => i - 1) });
const ahead = (tokens: readonly number[], answer: readonly number[], count: number) =>
  answer.slice(tokens.length, tokens.length + count);

const adversaries: Readonly<Record<string, Adversary>> = {
  'is always wrong': (tokens, answer, vocab) =>
    chainOf(ahead(tokens, answer, 8).map((token) => (token + 1) % vocab)),
  'draws at random': (tokens, _, vocab) => {
    const random = seededRandom(tokens.length);
    const size = 1 + Math.floor(20 * random());
    return {
      tokens: Array.from({ length: size }, () => Math.floor(vocab * random())),
      parents: Array.from({ length: size }, (_, i) => Math.floor((i + 1) * random()) - 1),
    };
  },
  'knows the answer': (tokens, answer) => chainOf(ahead(tokens, answer, DEEPEST)),
  'is as wide as can be': (tokens, answer, vocab) => {
    const next = answer[tokens.length] ?? 0;
    const siblings = Array.from(
      { length: WIDEST },
      (_, i) => (next + i - (tokens.length % WIDEST) + vocab) % vocab,
    );
    return { tokens: siblings, parents: siblings.map(() => -1) };
  },
  'goes astray half way': (tokens, answer, vocab) =>
    chainOf(
      ahead(tokens, answer, DEEPEST).map((token, i) => (i < tokens.length % 9 ? token : (token + 7) % vocab)),
    ),
};

async function firstToken(runner: ModelRunner, prompt: readonly number[]): Promise<number> {
  reset(runner, 1, prompt.length + TOKENS + WIDEST + 1);
  return argmax(lastRow(runner, (await feed(runner, 0, [prompt])).logits));
}

/** Tokens that come while every step verifies a draft, and how many steps it took. */
async function decode(
  runner: ModelRunner,
  prompt: readonly number[],
  answer: readonly number[],
  draft: Adversary,
) {
  const tokens = [await firstToken(runner, prompt)];
  let steps = 0;
  while (tokens.length < TOKENS) {
    const { tokens: drafted, parents } = draft(tokens, answer, runner.vocabSize);
    const rows = {
      tokens: [tokens.at(-1)!, ...drafted],
      parents: [-1, ...parents.map((parent) => parent + 1)],
    };
    const cached = runner.cache.length(0);
    const [logits] = await feedTrees(runner, 0, [rows]);
    const visited = acceptDraft(rows, (row) => {
      tokens.push(argmax(logits!.subarray(row * runner.vocabSize, (row + 1) * runner.vocabSize)));
      return tokens.length < TOKENS ? tokens.at(-1) : undefined;
    });
    runner.cache.keep(0, cached, visited);
    steps++;
  }
  return { tokens, steps };
}

describe.each(['llama-gqa', 'qwen3', 'smollm-tied'])('%s', (name) => {
  let runner: ModelRunner;
  const prompts: number[][] = [];
  const answers: number[][] = [];
  beforeAll(async () => {
    runner = (await loadFixture(name, { weights: 'fp32', activations: 'fp32' })).runner;
    for (let i = 0; i < PROMPTS; i++) {
      const prompt = seededTokens(1000 + i, 5 + (i % 30), runner.vocabSize);
      prompts.push(prompt);
      answers.push(await greedy(runner, await firstToken(runner, prompt), TOKENS));
    }
  }, PATIENCE_MS);
  afterAll(() => runner.close());

  it.each(Object.entries(adversaries))(
    'gives the greedy tokens under a drafter that %s',
    async (kind, draft) => {
      let steps = 0;
      for (const [i, prompt] of prompts.entries()) {
        const drafted = await decode(runner, prompt, answers[i]!, draft);
        expect(drafted.tokens).toEqual(answers[i]);
        steps += drafted.steps;
      }
      const perStep = (PROMPTS * (TOKENS - 1)) / steps;
      if (kind === 'is always wrong') expect(perStep).toBe(1);
      if (kind === 'knows the answer') expect(perStep).toBeGreaterThan(15);
      if (kind === 'is as wide as can be') expect(perStep).toBeGreaterThan(1.9);
    },
    PATIENCE_MS,
  );
});
