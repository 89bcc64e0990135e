/** Which tokens of its prompt a lane holds in each layer, once some were dropped between layers. */

import { lowerBound } from './lower-bound.js';

/** Never changes, so copies of a lane share it. */
export class PrunedPrompt {
  /** Tokens before the first one that could be dropped; every layer has them. */
  readonly first: number;
  /** Tokens of the prompt. Those behind it are in every layer again. */
  readonly length: number;
  readonly #kept: readonly Int32Array[];

  /** `kept`: per layer the tokens of `[first, length)` that it holds, ascending. */
  constructor(first: number, length: number, kept: readonly Int32Array[]) {
    this.first = first;
    this.length = length;
    this.#kept = kept;
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
