/** How the prompt of one request drops its visual tokens between layers. */

import type { TokenPruning } from '../../core/efficiency.js';
import type { Depth } from '../kv-cache/depth.js';
import type { DecoderShape } from '../visual-tokens/flops.js';
import type { PruningLayers } from '../visual-tokens/pruning-schedule.js';
import { pruningLayers, tokensEntering } from '../visual-tokens/pruning-schedule.js';

export interface Span {
  readonly start: number;
  readonly length: number;
}

export interface PruningPlan {
  readonly layers: PruningLayers;
  /** Tokens before the first one that may be dropped. They run as in any prompt; the rest runs at once. */
  readonly first: number;
  /** `[prompt − first]`: 1 for tokens that may be dropped. */
  readonly droppable: Uint8Array;
  /** Of the tokens from `first` on, those that enter each layer, and those that stay in all. */
  readonly entering: readonly number[];
  readonly fixed: number;
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
  const flags = new Uint8Array(promptLength);
  for (const { start, length } of spans) flags.fill(1, start, start + length);
  flags[promptLength - 1] = 0;
  const first = flags.indexOf(1);
  if (depth === undefined || first < 0) return undefined;
  const layers = pruningLayers(layerCount, depth);
  if (layers.first >= layerCount - 1) return undefined;
  const droppable = flags.subarray(first);
  const visual = droppable.reduce((sum, flag) => sum + flag, 0);
  const fixed = droppable.length - visual;
  return { layers, first, droppable, fixed, entering: tokensEntering(layerCount, visual, fixed, layers) };
}

/** Rows that a lane has in each layer when it holds `tokens` of the sequence. */
export function depthOf(plan: PruningPlan | undefined, tokens: number): Depth {
  if (plan === undefined || tokens <= plan.first) return tokens;
  const output = tokens - plan.first - plan.droppable.length;
  return rowsAfterPrompt(plan).map((rows) => Math.max(plan.first, rows + output));
}

/** Rows that each layer holds once the prompt is done. */
export function rowsAfterPrompt({ first, entering }: PruningPlan): number[] {
  return entering.map((rows) => first + rows);
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
