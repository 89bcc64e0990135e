/** What the images of one request cost, and what merging and pruning saved. */

import type { EfficiencyReceipt, FlopsReceipt, VisualTokenReceipt } from '../../core/efficiency-receipt.js';
import type { ImageUsage } from '../../core/messages.js';
import { depthAt } from '../kv-cache/depth.js';
import type { DecoderShape } from '../visual-tokens/flops.js';
import { decodeFlops, headFlops, layerFlops, promptFlops, prunedFlops } from '../visual-tokens/flops.js';
import type { PruningPlan, Span } from './pruning-plan.js';
import { depthOf, rowsAfterPrompt, rowsBefore } from './pruning-plan.js';

/** What is needed of a model to count. */
export interface CostModel {
  readonly shape: DecoderShape;
  /** Bytes of keys and values of one token in one layer. */
  readonly kvRowBytes: number;
  /** Tokens of a prompt that run at once. */
  readonly chunk: number;
}

export interface MergingWork {
  /** Image tokens that the prompt would have without merging. */
  readonly unmergedTokens: number;
  readonly flops: number;
  readonly ms: number;
}

export class ImageLedger {
  readonly #model: CostModel;
  readonly #promptLength: number;
  readonly #imageTokens: number;
  readonly #merging: MergingWork;
  #pruning: PruningPlan | undefined;
  #promptFlops = 0;
  #lowerCached = 0;
  #overhead: number;

  constructor(
    model: CostModel,
    promptLength: number,
    images: readonly Span[],
    merging: MergingWork,
    pruning: PruningPlan | undefined,
  ) {
    this.#model = model;
    this.#promptLength = promptLength;
    this.#imageTokens = images.reduce((sum, { length }) => sum + length, 0);
    this.#merging = merging;
    this.#pruning = pruning;
    this.#overhead = merging.flops;
  }

  /** An earlier turn is taken over, so that the plan is another one. */
  replan(pruning: PruningPlan): void {
    this.#pruning = pruning;
  }

  /** So many tokens need not be computed in the layers before the one where pruning begins. */
  foundLower(tokens: number): void {
    this.#lowerCached = tokens;
  }

  /** `rows` tokens of the prompt passed the layers behind `past` others: all of them, or those below pruning. */
  addChunk(rows: number, past: number, layers: 'all' | 'lower'): void {
    const { shape } = this.#model;
    const end = layers === 'all' ? shape.layers : this.#pruning!.layers.first;
    const depth = depthOf(this.#pruning, past);
    for (let layer = 0; layer < end; layer++) {
      this.#promptFlops += layerFlops(shape, { rows, keys: depthAt(depth, layer) + rows });
    }
  }

  /** All tokens that may be dropped, and those behind, passed the rest of the layers. */
  addUpper(): void {
    const plan = this.#pruning!;
    const { flops, scoring } = prunedFlops(this.#model.shape, {
      ...plan,
      before: rowsBefore(plan, plan.first),
    });
    this.#promptFlops += flops;
    this.#overhead += scoring;
  }

  /** `outputs`: tokens of each choice, the first of which comes with the prompt. */
  receipt(outputs: readonly number[], usage: ImageUsage, prefillMs: number): EfficiencyReceipt {
    return { visualTokens: this.#visualTokens(usage, prefillMs), flops: this.#flops(outputs) };
  }

  #visualTokens(usage: ImageUsage, prefillMs: number): VisualTokenReceipt {
    const perLayer = this.#rows;
    const kvRows = perLayer.reduce((sum, rows) => sum + rows, 0);
    return {
      images: usage.count,
      cachedImages: usage.cached,
      lowerCached: this.#lowerCached,
      views: usage.views,
      fullViews: usage.fullViews,
      encoded: this.#merging.unmergedTokens,
      merged: this.#imageTokens,
      perLayer,
      kvRows,
      kvBytes: kvRows * this.#model.kvRowBytes,
      mode: this.#mode,
      encodeMs: usage.encodeMs - this.#merging.ms,
      mergeMs: this.#merging.ms,
      prefillMs,
    };
  }

  /** Drafting is not counted here: what it computes in vain has a receipt of its own. */
  #flops(outputs: readonly number[]): FlopsReceipt {
    const { shape, chunk } = this.#model;
    const unmerged = this.#promptLength - this.#imageTokens + this.#merging.unmergedTokens;
    const answer = (cached: readonly number[]) =>
      outputs.reduce(
        (sum, length) => sum + decodeFlops(shape, cached, Math.max(0, length - 1)),
        headFlops(shape),
      );
    const dense = promptFlops(shape, unmerged, chunk) + answer(Array<number>(shape.layers).fill(unmerged));
    const executed = this.#promptFlops + this.#merging.flops + answer(this.#rows);
    return { executed, dense, overhead: this.#overhead };
  }

  get #mode(): VisualTokenReceipt['mode'] {
    if (this.#pruning === undefined) return 'dense';
    const { base } = this.#pruning;
    // The very same prompt is taken over as it would be pruned now, unless it went on behind another one itself.
    const isSame = base?.length === this.#promptLength && base.base === undefined;
    return base === undefined || isSame ? 'compact' : 'frozen';
  }

  /** Rows in each layer when the prompt is done. */
  get #rows(): number[] {
    if (this.#pruning !== undefined) return rowsAfterPrompt(this.#pruning);
    return Array<number>(this.#model.shape.layers).fill(this.#promptLength);
  }
}
