/**
 * Whole pruned prompts with what followed them, for the next turn of the conversation. A turn is found by what leads
 * up to the end of its last image, then checked token by token like any block of the prefix cache.
 */

import { LRUCache } from 'lru-cache';
import type { KvRows, LaneCache } from '../kv-cache/lane-cache.js';
import { type Prefix, type PrefixCache, prefixKey } from '../kv-cache/prefix-cache.js';
import type { Sequence } from '../sequence/sequence.js';

/** Prompt lengths are small; what they lead to is bounded by the bytes of the prefix cache. */
const MAX_TURNS = 4096;

export class PrunedTurns {
  readonly #prefixes: PrefixCache;
  readonly #cache: LaneCache;
  readonly #lengths = new LRUCache<string, number>({ max: MAX_TURNS });

  constructor(prefixes: PrefixCache, cache: LaneCache) {
    this.#prefixes = prefixes;
    this.#cache = cache;
  }

  /** Also tells the generation of the prompt that it goes on behind. */
  find({ generation, tokens }: Sequence, prefix: Prefix): readonly KvRows[] {
    const scoped = scopedTo(prefix, generation);
    for (const { start, length } of generation.images.toReversed()) {
      const whole = this.#lengths.get(prefixKey(scoped, start + length));
      if (whole === undefined) continue;
      const found = this.#prefixes.match({ ...scoped, whole }, tokens.length);
      const pruned = found[0]?.pruned;
      if (pruned === undefined) continue;
      generation.continueBehind(pruned);
      return found;
    }
    return [];
  }

  /** The lane holds a pruned prompt, and maybe more. */
  store({ generation }: Sequence, prefix: Prefix, lane: number): void {
    const pruned = this.#cache.pruned(lane);
    if (pruned === undefined) return;
    const scoped = scopedTo(prefix, generation);
    const last = generation.images.findLast(({ start }) => start < pruned.length)!;
    this.#lengths.set(prefixKey(scoped, last.start + last.length), pruned.length);
    this.#prefixes.store({ ...scoped, whole: pruned.length }, this.#cache, lane);
  }
}

/** What the upper layers hold depends on where pruning ends as well. */
function scopedTo({ scope, tokens, images = [] }: Prefix, { pruning }: Sequence['generation']): Prefix {
  const { first, end } = pruning!.layers;
  return { scope: JSON.stringify([scope, 'pruned', first, end]), tokens, images };
}
