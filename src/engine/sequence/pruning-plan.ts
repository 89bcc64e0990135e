/** How the prompt of one request drops its visual tokens between layers. */

import type { TokenPruning } from '../../core/efficiency.js';
import type { Depth } from '../kv-cache/depth.js';
import type { PrunedPrompt } from '../kv-cache/pruned-prompt.js';
import type { DecoderShape } from '../visual-tokens/flops.js';
import type { PruningLayers } from '../visual-tokens/pruning-schedule.js';
import { pruningLayers, tokensEntering } from '../visual-tokens/pruning-schedule.js';

export interface Span {
  readonly start: number;
  readonly length: number;
}

export interface PruningPlan {
  readonly layers: PruningLayers;
  /** Tokens before the first one that may be dropped. They run as in any prompt. */
  readonly first: number;
  /** `[prompt − first]`: 1 for tokens that may be dropped. Empty if nothing is left to drop. */
  readonly droppable: Uint8Array;
  /** Of the tokens from `first` on, those that enter each layer, and those that stay in all. */
  readonly entering: readonly number[];
  readonly fixed: number;
  /** An earlier turn that is taken over as it was pruned then. */
  readonly base: PrunedPrompt | undefined;
}

interface PrunedTokens {
  readonly layerCount: number;
  readonly layers: PruningLayers;
  readonly promptLength: number;
  readonly spans: readonly Span[];
}

/**
 * All spans share one budget and one ranking; what stands around and between them always stays, and so does the
 * last token. Undefined if nothing would be dropped.
 */
export function planPruning(
  depth: TokenPruning | undefined,
  layerCount: number,
  promptLength: number,
  spans: readonly Span[],
): PruningPlan | undefined {
  if (depth === undefined) return undefined;
  const layers = pruningLayers(layerCount, depth);
  if (layers.first >= layerCount - 1) return undefined;
  const plan = planBehind(undefined, { layerCount, layers, promptLength, spans });
  return plan.droppable.length === 0 ? undefined : plan;
}

/** Only what stands behind `base` may be dropped. */
export function planBehind(
  base: PrunedPrompt | undefined,
  { layerCount, layers, promptLength, spans }: PrunedTokens,
): PruningPlan {
  const flags = new Uint8Array(promptLength);
  for (const { start, length } of spans) flags.fill(1, start, start + length);
  flags[promptLength - 1] = 0;
  const found = flags.indexOf(1, base?.length ?? 0);
  const first = found < 0 ? promptLength : found;
  const droppable = flags.subarray(first);
  const visual = droppable.reduce((sum, flag) => sum + flag, 0);
  const fixed = droppable.length - visual;
  return {
    layers,
    first,
    droppable,
    fixed,
    entering: tokensEntering(layerCount, visual, fixed, layers),
    base,
  };
}

/** Rows that a lane has in each layer when it holds `tokens` of the sequence. */
export function depthOf(plan: PruningPlan | undefined, tokens: number): Depth {
  if (plan === undefined) return tokens;
  const { base, first, droppable } = plan;
  if (tokens <= first) return base === undefined ? tokens : rowsBefore(plan, tokens);
  const output = tokens - first - droppable.length;
  const before = rowsBefore(plan, first);
  return rowsAfterPrompt(plan).map((rows, layer) => Math.max(before[layer]!, rows + output));
}

/** Rows that each layer holds once the prompt is done. */
export function rowsAfterPrompt(plan: PruningPlan): number[] {
  const before = rowsBefore(plan, plan.first);
  return plan.entering.map((rows, layer) => before[layer]! + rows);
}

/** Of the first `tokens`, up to the first one that may be dropped, in each layer. */
export function rowsBefore({ base, entering }: PruningPlan, tokens: number): number[] {
  return entering.map((_, layer) => base?.rows(layer, tokens) ?? tokens);
}

/**
 * Memory that the largest layers take for a moment when the whole rest of the prompt passes them at once: the rows
 * between norm and attention, then the scores of one head (as scores, masked, as weights, again while tokens are
 * ranked, and what the allocator rounds up) or the inside of the MLP.
 */
export function transientBytes({ first, droppable }: PruningPlan, shape: DecoderShape): number {
  const rows = droppable.length;
  const projected = (shape.heads + 2 * shape.kvHeads) * shape.headDim;
  const scores = 8 * (first + rows);
  const mlp = 6 * shape.intermediateSize;
  return 4 * rows * (4 * projected + 4 * shape.hiddenSize + Math.max(scores, mlp));
}
