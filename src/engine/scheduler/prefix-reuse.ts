/**
 * What a sequence takes from the prefix cache when it enters a lane, and leaves there for others. What the upper
 * layers make of a prompt that prunes depends on all of it, so only what its lower layers made is shared, and only
 * with prompts that begin to prune at the same layer.
 */

import type { LaneCache } from '../kv-cache/lane-cache.js';
import type { Prefix, PrefixCache } from '../kv-cache/prefix-cache.js';
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
    const { generation, tokens } = sequence;
    const prefix = generation.scoring ? undefined : prefixOf(sequence);
    // Somebody needs the logits of the last token; the upper layers compute it in any case.
    const most = generation.pruning === undefined ? tokens.length - 1 : tokens.length;
    const blocks = prefix === undefined ? [] : this.#prefixes.match(prefix, most);
    for (const rows of blocks) this.#cache.append(lane, rows);
    const length = this.#cache.length(lane);
    const { first } = this.#cache.pruned(lane) ?? { first: length };
    generation.admit(first, length - first);
  }

  /** To be called when a prompt is complete (when it prunes: in its lower layers), and at the end. */
  leave(sequence: Sequence, lane: number): void {
    const prefix = prefixOf(sequence);
    const isPruned =
      this.#cache.pruned(lane)?.waiting === undefined && sequence.generation.pruning !== undefined;
    if (prefix !== undefined && !isPruned) this.#prefixes.store(prefix, this.#cache, lane);
  }
}

function prefixOf({ generation, tokens }: Sequence): Prefix | undefined {
  const { cacheScope: scope, images, pruning } = generation;
  if (scope === undefined) return undefined;
  const split = pruning && { at: pruning.first, scope: `below layer ${pruning.layers.first}` };
  return { scope, tokens, images, split };
}
