/** A greedy answer to a question whose image is given as rows, and what its prompt cost. */

import type { TokenPruning } from '../../src/core/efficiency.js';
import { argmax } from '../../src/decoding/argmax.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import { embeddedRows } from '../../src/engine/sequence/image-span.js';
import { type PruningPlan, planPruning, rowsBefore } from '../../src/engine/sequence/pruning-plan.js';
import { chunkFlops, type DecoderShape, prunedFlops } from '../../src/engine/visual-tokens/flops.js';
import type { Question } from './questions.js';

const mostTokens = 64;
/** One for all prompts, so that the cache is never laid out anew. */
const capacity = 512;

export interface GreedyAnswer {
  readonly text: string;
  /** Operations of the decoder for the prompt, ranking included. */
  readonly promptFlops: number;
}

export async function greedyAnswer(
  { runner, tokenizer, vision, eosTokenIds }: LoadedModel,
  { prompt }: Question,
  rows: Float32Array,
  pruning: TokenPruning | undefined,
): Promise<GreedyAnswer> {
  const { tokens, imageTokenId, width, videoPart } = vision!;
  const count = rows.length / width;
  const texts = [tokens.image.repeat(count)];
  const kinds = [{ what: 'images', token: tokens.image, texts } as const];
  const { ids } = tokenizer.encodePrompt(prompt, 4096, { videoPart, kinds });
  const spans = [{ start: ids.indexOf(imageTokenId), length: count, key: '', rows }];
  const plan = planPruning(pruning, runner.shape.layers, ids.length, spans);
  runner.cache.resize(1, capacity);
  runner.cache.truncate(0, 0);
  const step = async (from: number, chunk: readonly number[], own?: typeof plan) =>
    argmax(
      await runner.forward({
        firstLane: 0,
        lanes: 1,
        rows: chunk.length,
        tokenIds: Int32Array.from(chunk),
        logitRows: Int32Array.of(chunk.length - 1),
        embedded: embeddedRows(spans, from, chunk.length),
        ...(own && { pruning: own }),
      }),
    );
  const first = plan?.first ?? 0;
  if (first > 0) await step(0, ids.slice(0, first));
  const said = [await step(first, ids.slice(first), plan)];
  while (!eosTokenIds.includes(said.at(-1)!) && said.length < mostTokens) {
    said.push(await step(ids.length + said.length, said.slice(-1)));
  }
  return {
    text: tokenizer.decode(said, { skipSpecialTokens: true }),
    promptFlops: flopsOf(runner.shape, ids.length, plan),
  };
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
