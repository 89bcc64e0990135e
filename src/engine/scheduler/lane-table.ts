/**
 * Which sequence sits in which lane. Decoding lanes come first, prefilling lanes behind them, free lanes last,
 * so that a decode step is one contiguous block; the cache contents move along with every exchange.
 */

import type { Depth } from '../kv-cache/depth.js';
import type { LaneCache } from '../kv-cache/lane-cache.js';
import { depthOf } from '../sequence/pruning-plan.js';
import type { Sequence } from '../sequence/sequence.js';

export class LaneTable {
  readonly #cache: LaneCache;
  readonly #sequences: Sequence[] = [];
  #decoding = 0;

  constructor(cache: LaneCache) {
    this.#cache = cache;
  }

  get used(): number {
    return this.#sequences.length;
  }

  /** A copy: sequences leave while a batch is handed out. */
  get all(): Sequence[] {
    return [...this.#sequences];
  }

  get decoding(): Sequence[] {
    return this.#sequences.slice(0, this.#decoding);
  }

  get prefilling(): Sequence[] {
    return this.#sequences.slice(this.#decoding);
  }

  has(sequence: Sequence): boolean {
    return this.#sequences.includes(sequence);
  }

  isDecoding(sequence: Sequence): boolean {
    return this.laneOf(sequence) < this.#decoding;
  }

  laneOf(sequence: Sequence): number {
    const lane = this.#sequences.indexOf(sequence);
    if (lane < 0) throw new Error(`${sequence} is in no lane`);
    return lane;
  }

  length(sequence: Sequence): number {
    return this.#cache.length(this.laneOf(sequence));
  }

  /** Tokens that every layer has. */
  complete(sequence: Sequence): number {
    const lane = this.laneOf(sequence);
    const pruned = this.#cache.pruned(lane);
    return pruned?.waiting === undefined ? this.#cache.length(lane) : pruned.first;
  }

  /** Rows in each layer once `growth` more tokens are there. */
  depth(sequence: Sequence, growth: number): Depth {
    return depthOf(sequence.generation.pruning, this.length(sequence) + growth);
  }

  /** Takes the first free lane, as prefilling; the slab must have it. */
  add(sequence: Sequence): number {
    return this.#sequences.push(sequence) - 1;
  }

  /** From prefilling to decoding. */
  promote(sequence: Sequence): void {
    this.#exchange(this.laneOf(sequence), this.#decoding++);
  }

  remove(sequence: Sequence): void {
    let lane = this.laneOf(sequence);
    this.#cache.truncate(lane, 0);
    if (lane < this.#decoding) {
      this.#exchange(lane, --this.#decoding);
      lane = this.#decoding;
    }
    this.#exchange(lane, this.used - 1);
    this.#sequences.pop();
  }

  #exchange(a: number, b: number): void {
    this.#cache.swap(a, b);
    [this.#sequences[a], this.#sequences[b]] = [this.#sequences[b]!, this.#sequences[a]!];
  }
}
