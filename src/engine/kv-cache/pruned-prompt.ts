/** Which tokens of its prompt a lane holds in each layer, once some were dropped between layers. */

import { lowerBound } from './lower-bound.js';

/**
 * Rows that have passed the lower layers and wait in front of the attention of the next one, until the whole prompt
 * is there: `[tokens, h·(g+2)·d]` and `[tokens, width]` for the tokens from `first` on, with room for all of them.
 */
export interface WaitingRows {
  readonly heads: Float32Array;
  readonly residual: Float32Array;
}

/** Never changes, so copies of a lane share it. */
export class PrunedPrompt {
  /** Tokens before the first one that could be dropped; every layer has them. */
  readonly first: number;
  /** Tokens of the prompt so far. Those behind it are in every layer again. */
  readonly length: number;
  /** While the upper layers have none of the tokens from `first` on. */
  readonly waiting: WaitingRows | undefined;
  readonly #kept: readonly Int32Array[];

  /** `kept`: per layer the tokens of `[first, length)` that it holds, ascending. */
  constructor(first: number, length: number, kept: readonly Int32Array[], waiting?: WaitingRows) {
    this.first = first;
    this.length = length;
    this.#kept = kept;
    this.waiting = waiting;
  }

  /** Tokens that have passed the layers before `layer`, and no other. */
  static begun(
    { first, length }: Pick<PrunedPrompt, 'first' | 'length'>,
    { layers, layer }: { readonly layers: number; readonly layer: number },
    waiting: WaitingRows,
  ): PrunedPrompt {
    const all = Int32Array.from({ length: length - first }, (_, i) => first + i);
    const none = new Int32Array(0);
    const kept = Array.from({ length: layers }, (_, index) => (index < layer ? all : none));
    return new PrunedPrompt(first, length, kept, waiting);
  }

  /** Rows of the layer that belong to the first `tokens` of the sequence. */
  rows(layer: number, tokens: number): number {
    if (tokens <= this.first) return tokens;
    const kept = this.#kept[layer]!;
    if (tokens >= this.length) return this.first + kept.length + tokens - this.length;
    return this.first + lowerBound(kept, tokens);
  }

  /** The tokens of `[first, length)` that the layer holds. */
  kept(layer: number): Int32Array {
    return this.#kept[layer]!;
  }
}
