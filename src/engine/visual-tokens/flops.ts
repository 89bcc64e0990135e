/**
 * Floating-point operations of a decoder, a multiply-add counted as two. Attention counts the full rectangle of new
 * queries and all keys of their chunk, as the graph computes it.
 */

import type { PruningLayers } from './pruning-schedule.js';

export interface DecoderShape {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
}

export interface LayerWork {
  /** Rows that enter the layer. */
  readonly rows: number;
  /** Keys that they see, cached ones included. */
  readonly keys: number;
  /** Rows that go on behind attention; the others are pruned there. All if absent. */
  readonly kept?: number;
}

export function layerFlops(
  { hiddenSize, intermediateSize, heads, kvHeads, headDim }: Omit<DecoderShape, 'layers'>,
  { rows, keys, kept = rows }: LayerWork,
): number {
  const queryWidth = heads * headDim;
  const projections = 2 * rows * hiddenSize * (queryWidth + 2 * kvHeads * headDim);
  const attention = 4 * rows * keys * queryWidth;
  const output = 2 * kept * queryWidth * hiddenSize;
  const gatedMlp = 6 * kept * hiddenSize * intermediateSize;
  return projections + attention + output + gatedMlp;
}

/** The output head, per row of logits. */
export function headFlops({ hiddenSize, vocabSize }: Pick<DecoderShape, 'hiddenSize' | 'vocabSize'>): number {
  return 2 * hiddenSize * vocabSize;
}

/** Page rank over the attention of one layer: a softmax and five products of a vector and a matrix per head. */
export function scoringFlops(heads: number, rows: number, keys: number): number {
  return 16 * heads * rows * keys;
}

/** One merging step over a group of `tokens`: its similarities, then the sums. */
export function mergeStepFlops(tokens: number, width: number): number {
  return 2 * Math.ceil(tokens / 2) * Math.floor(tokens / 2) * width + 4 * tokens * width;
}

/** All layers, for `rows` new tokens behind `past` cached ones. */
export function chunkFlops(shape: DecoderShape, rows: number, past: number): number {
  return shape.layers * layerFlops(shape, { rows, keys: past + rows });
}

/** A prompt of `tokens` in chunks, without the head. */
export function promptFlops(shape: DecoderShape, tokens: number, chunk: number): number {
  let flops = 0;
  for (let past = 0; past < tokens; past += chunk) {
    flops += chunkFlops(shape, Math.min(chunk, tokens - past), past);
  }
  return flops;
}

/** Tokens decoded one by one, logits included; `cached[layer]` keys are there before the first of them. */
export function decodeFlops(shape: DecoderShape, cached: readonly number[], steps: number): number {
  const keysOfAll = (first: number) => steps * first + (steps * (steps + 1)) / 2;
  const layers = cached.map((first) => {
    const perStep = layerFlops(shape, { rows: 1, keys: 0 });
    const perKey = layerFlops(shape, { rows: 1, keys: 1 }) - perStep;
    return steps * perStep + keysOfAll(first) * perKey;
  });
  return layers.reduce((sum, flops) => sum + flops, steps * headFlops(shape));
}

export interface PrunedWork {
  /** Scoring included. */
  readonly flops: number;
  readonly scoring: number;
}

/** A prompt of which layers drop tokens. */
export interface PrunedWorkload {
  readonly layers: PruningLayers;
  /** Keys that each layer has of the tokens before the first one that may be dropped. */
  readonly before: readonly number[];
  /** Of those behind, the tokens that enter each layer, and those that stay in all. */
  readonly entering: readonly number[];
  readonly fixed: number;
}

/** The layers from the one where pruning begins on. They rank their tokens where more than `fixed` stay. */
export function prunedFlops(
  shape: DecoderShape,
  { layers, before, entering, fixed }: PrunedWorkload,
): PrunedWork {
  let [flops, scoring] = [0, 0];
  for (let layer = layers.first; layer < entering.length; layer++) {
    const rows = entering[layer]!;
    const kept = entering[layer + 1] ?? rows;
    const keys = before[layer]! + rows;
    flops += layerFlops(shape, { rows, keys, kept });
    if (kept < rows && kept > fixed) scoring += scoringFlops(shape.heads, rows, keys);
  }
  return { flops: flops + scoring, scoring };
}
