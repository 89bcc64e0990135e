/**
 * What a sequence takes from the prefix cache when it enters a lane, and leaves there for others. What the upper
 * layers make of a prompt that prunes depends on all of it. So a prompt that goes on behind such a one takes it over
 * as it is; any other shares only what the lower layers made, and only if it begins to prune at the same layer.
 */

import type { KvRows, LaneCache } from '../kv-cache/lane-cache.js';
import type { Prefix, PrefixCache } from '../kv-cache/prefix-cache.js';
import type { Sequence } from '../sequence/sequence.js';
import { PrunedTurns } from './pruned-turns.js';

export class PrefixReuse {
  readonly #prefixes: PrefixCache;
  readonly #turns: PrunedTurns;
  readonly #cache: LaneCache;

  constructor(prefixes: PrefixCache, cache: LaneCache) {
    this.#prefixes = prefixes;
    this.#turns = new PrunedTurns(prefixes, cache);
    this.#cache = cache;
  }

  /**
   * The longest beginning that is known, in order; it may change what of the prompt is pruned. Scoring wants every
   * row computed.
   */
  find(sequence: Sequence): readonly KvRows[] {
    const { generation, tokens } = sequence;
    const prefix = generation.scoring ? undefined : prefixOf(sequence);
    if (prefix === undefined) return [];
    if (generation.pruning === undefined) return this.#prefixes.match(prefix, tokens.length - 1);
    const turn = this.#turns.find(sequence, prefix);
    return turn.length > 0 ? turn : this.#prefixes.match(prefix, tokens.length);
  }

  /** Fills an empty lane with what was found. */
  take(sequence: Sequence, lane: number, found: readonly KvRows[]): void {
    const { generation, tokens } = sequence;
    for (const rows of found) this.#cache.append(lane, rows);
    const waits = this.#cache.pruned(lane)?.waiting !== undefined;
    // Somebody needs the logits of the last token; of a prompt that waits they are computed in any case.
    if (!waits) this.#cache.truncate(lane, tokens.length - 1);
    const length = this.#cache.length(lane);
    const complete = waits ? this.#cache.pruned(lane)!.first : length;
    generation.admit(complete, length - complete);
  }

  /** To be called when a prompt is complete (when it prunes: in its lower layers, too), and at the end. */
  leave(sequence: Sequence, lane: number): void {
    const prefix = prefixOf(sequence);
    if (prefix === undefined) return;
    const { pruning } = sequence.generation;
    const { waiting } = this.#cache.pruned(lane) ?? {};
    if (waiting?.tokens !== undefined) return;
    const waits = waiting !== undefined;
    if (pruning !== undefined && !waits) this.#turns.store(sequence, prefix, lane);
    // Behind an earlier turn nothing is whole.
    else if (pruning?.base === undefined) this.#prefixes.store(prefix, this.#cache, lane);
  }
}

function prefixOf({ generation, tokens }: Sequence): Prefix | undefined {
  const { cacheScope: scope, images, pruning } = generation;
  if (scope === undefined) return undefined;
  const split = pruning && { at: pruning.first, scope: `below layer ${pruning.layers.first}` };
  return { scope, tokens, images, split };
}
