/** Shapes the slab of the lane cache: never over the budget in bytes, never much larger than what is in use. */

import type { LaneCache } from '../kv-cache/lane-cache.js';

/**
 * Tokens beyond what is needed, so that not every step copies the slab, though every step reads the slack: in a
 * slab of L tokens that grows by G, copying costs about L / G a step and reading G / 2, which are least together
 * for G ~ √L. The factor comes from copying a token taking some three times as long as reading it.
 */
const slackFor = (tokens: number): number => Math.ceil(2.5 * Math.sqrt(tokens));
/** The slab shrinks once it is this many times larger than needed, in either direction. */
const SLACK = 2;

export class SlabBudget {
  readonly #cache: LaneCache;
  readonly #bytes: number;

  constructor(cache: LaneCache, bytes: number) {
    this.#cache = cache;
    this.#bytes = bytes;
  }

  /** Tokens that a sequence can have when it runs alone. */
  get longestSequence(): number {
    let tokens = Math.floor(this.#bytes / this.#cache.bytesPerToken);
    while (tokens > 0 && !this.fits(1, tokens)) tokens--;
    return tokens;
  }

  /** 0–1. */
  get usage(): number {
    return this.#cache.bytesFor(this.#cache.lanes, this.#cache.capacity) / this.#bytes;
  }

  fits(lanes: number, tokens: number): boolean {
    return this.#cache.bytesFor(lanes, tokens) <= this.#bytes;
  }

  /** Makes the slab hold at least `tokens` in each of `lanes`, which must fit. */
  reserve(lanes: number, tokens: number): void {
    const cache = this.#cache;
    if (lanes <= cache.lanes && tokens <= cache.capacity) return;
    const roomy = tokens > cache.capacity ? tokens + slackFor(tokens) : cache.capacity;
    cache.resize(lanes, this.fits(lanes, roomy) ? roomy : tokens);
  }

  /** Gives memory back when `lanes` of `tokens` are far below what the slab holds; 0 lanes free all of it. */
  trim(lanes: number, tokens: number): void {
    const cache = this.#cache;
    if (lanes === 0) {
      cache.resize(0, 0);
      return;
    }
    const manyLanes = cache.lanes > SLACK * lanes;
    const roomy = tokens + slackFor(tokens);
    const longLanes = cache.bytesFor(1, cache.capacity) > SLACK * cache.bytesFor(1, roomy);
    if (manyLanes || longLanes) cache.resize(lanes, longLanes ? roomy : cache.capacity);
  }
}
