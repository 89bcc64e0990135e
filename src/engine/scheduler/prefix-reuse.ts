/** What a sequence takes from the prefix cache when it enters a lane, and leaves there for others. */

import type { LaneCache } from '../kv-cache/lane-cache.js';
import type { PrefixCache } from '../kv-cache/prefix-cache.js';
import type { Sequence } from '../sequence/sequence.js';

export class PrefixReuse {
  readonly #prefixes: PrefixCache;
  readonly #cache: LaneCache;

  constructor(prefixes: PrefixCache, cache: LaneCache) {
    this.#prefixes = prefixes;
    this.#cache = cache;
  }

  /** Fills an empty lane with the longest beginning that is known. Scoring wants every row computed. */
  take(sequence: Sequence, lane: number): void {
    const { generation } = sequence;
    const scope = generation.scoring ? undefined : generation.cacheScope;
    const tokens = beforePruning(sequence, 1);
    const blocks = scope === undefined ? [] : this.#prefixes.match(scope, tokens, generation.images);
    for (const rows of blocks) this.#cache.append(lane, rows);
    generation.admit(this.#cache.length(lane));
  }

  leave(sequence: Sequence, lane: number): void {
    const { cacheScope, images } = sequence.generation;
    if (cacheScope === undefined) return;
    this.#prefixes.store(cacheScope, beforePruning(sequence, 0), this.#cache, lane, images);
  }
}

/** The tokens that every layer has, and `further` ones: what may be shared with requests that prune otherwise. */
function beforePruning({ generation, tokens }: Sequence, further: number): readonly number[] {
  return generation.pruning === undefined ? tokens : tokens.slice(0, generation.pruning.first + further);
}
