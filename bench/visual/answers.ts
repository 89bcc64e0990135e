/** Whether a model answers a question right, its image given as rows, and what the prompt cost. */

import type { TokenPruning } from '../../src/core/efficiency.js';
import { argmax } from '../../src/decoding/argmax.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import type { Runner } from '../../src/engine/runner/runner.js';
import { computePrompt, computeTokens, type LonePrompt } from '../../src/engine/sequence/lone-sequence.js';
import { type PruningPlan, planPruning, rowsBefore } from '../../src/engine/sequence/pruning-plan.js';
import { chunkFlops, type DecoderShape, prunedFlops } from '../../src/engine/visual-tokens/flops.js';
import type { Question } from './questions.js';

/** Behind every prompt, for its answer. */
const room = 128;

export interface Answered {
  readonly isRight: boolean;
  /** Operations of the decoder for the prompt, ranking included. */
  readonly promptFlops: number;
}

/** Right is a greedy answer that is the expected text and ends there. */
export async function answer(
  { runner, tokenizer, vision, eosTokenIds }: LoadedModel,
  { prompt, expect }: Question,
  rows: Float32Array,
  depth: TokenPruning | undefined,
): Promise<Answered> {
  const { tokens, imageTokenId, width, videoPart } = vision!;
  const count = rows.length / width;
  const kinds = [{ what: 'images', token: tokens.image, texts: [tokens.image.repeat(count)] } as const];
  const { ids } = tokenizer.encodePrompt(prompt, 4096, { videoPart, kinds });
  const images = [{ start: ids.indexOf(imageTokenId), length: count, key: '', rows }];
  const pruning = planPruning(depth, runner.shape.layers, ids.length, images);
  const expected = tokenizer.encode(expect, { addSpecialTokens: false, parseSpecialTokens: false }, room);
  return {
    isRight: await saysExactly(runner, { ids, images, pruning }, expected, eosTokenIds),
    promptFlops: flopsOf(runner.shape, ids.length, pruning),
  };
}

/**
 * A greedy answer is the expected one if each of its tokens, and the end behind it, is the likeliest after those
 * before it, which two steps tell instead of one for each token.
 */
async function saysExactly(
  runner: Runner,
  prompt: LonePrompt,
  expected: readonly number[],
  ends: readonly number[],
): Promise<boolean> {
  if (argmax(await computePrompt(runner, prompt, room)) !== expected[0]) return false;
  const logits = await computeTokens(runner, expected);
  const said = expected.map((_, i) =>
    argmax(logits.subarray(i * runner.vocabSize, (i + 1) * runner.vocabSize)),
  );
  return expected.slice(1).every((token, i) => said[i] === token) && ends.includes(said.at(-1)!);
}

/** Plainly up to the image and, behind it, up to the layer where pruning begins. */
function flopsOf(shape: DecoderShape, tokens: number, plan: PruningPlan | undefined): number {
  if (plan === undefined) return chunkFlops(shape, tokens, 0);
  const { first, layers } = plan;
  const lower = chunkFlops({ ...shape, layers: layers.first }, tokens - first, first);
  return (
    chunkFlops(shape, first, 0) +
    lower +
    prunedFlops(shape, { ...plan, before: rowsBefore(plan, first) }).flops
  );
}
