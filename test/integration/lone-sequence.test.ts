/** A sequence by itself, as tools compute it, with an image that is pruned. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { argmax } from '../../src/decoding/argmax.js';
import { closeModel, type LoadedModel } from '../../src/engine/loaded-model.js';
import { computePrompt, computeTokens, type LonePrompt } from '../../src/engine/sequence/lone-sequence.js';
import { planPruning } from '../../src/engine/sequence/pruning-plan.js';
import { PromptReader } from '../../src/engine/worker/prompt-reader.js';
import { ModelHarness } from '../helpers/engine-harness.js';
import { generateRequest, userPrompt } from '../helpers/generate-request.js';
import { imagePart, loadVisionModel } from '../helpers/vision-fixture.js';

const tokens = 8;
const question = userPrompt('Look: ', imagePart('photo.jpg'), 'What is it?');

let model: LoadedModel;
beforeAll(async () => {
  model = await loadVisionModel('siglip-llava');
});
afterAll(() => closeModel(model));

async function read(tokenPruning: { start: number; end: number } | undefined): Promise<LonePrompt> {
  const reader = new PromptReader(model.tokenizer, model.vision);
  const seen = await reader.see(question, { maxTokens: 512, check: () => {}, isCancelled: () => false });
  const { ids, images = [] } = seen!;
  return { ids, images, pruning: planPruning(tokenPruning, model.runner.shape.layers, ids.length, images) };
}

async function served(tokenPruning: { start: number; end: number } | false): Promise<string> {
  const harness = new ModelHarness(model, {});
  const efficiency = { tokenPruning, draftVerification: false } as const;
  const stop = { maxTokens: tokens, ignoreEos: true };
  return (await harness.submit(generateRequest({ prompt: question, efficiency, stop })).result).choices[0]!
    .text;
}

describe.each([
  ['a whole prompt', undefined],
  ['a pruned prompt', { start: 0, end: 1 }],
])('%s', (_, pruning) => {
  it('goes on as the engine does, token by token and all tokens at once', async () => {
    const expected = await served(pruning ?? false);
    const { runner, tokenizer } = model;
    const said = [argmax(await computePrompt(runner, await read(pruning), tokens))];
    while (said.length < tokens) said.push(argmax(await computeTokens(runner, said.slice(-1))));
    expect(tokenizer.decode(said, { skipSpecialTokens: true })).toBe(expected);

    await computePrompt(runner, await read(pruning), tokens);
    const logits = await computeTokens(runner, said);
    const row = (i: number) => logits.subarray(i * runner.vocabSize, (i + 1) * runner.vocabSize);
    expect(said.slice(1)).toEqual(said.slice(0, -1).map((_, i) => argmax(row(i))));
  });
});
