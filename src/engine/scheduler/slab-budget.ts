/** Shapes the slab of the lane cache: never over the budget in bytes, never much larger than what is in use. */

import { type Depth, deepest, fitsIn, mapDepth } from '../kv-cache/depth.js';
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
    return this.#cache.bytesFor(this.#cache.lanes, this.#cache.depth) / this.#bytes;
  }

  fits(lanes: number, depth: Depth): boolean {
    return this.#cache.bytesFor(lanes, depth) <= this.#bytes;
  }

  /** Makes the slab hold at least `depth` rows in each of `lanes`, which must fit. */
  reserve(lanes: number, depth: Depth): void {
    const cache = this.#cache;
    const isDeepEnough = fitsIn(depth, cache.depth);
    if (lanes <= cache.lanes && isDeepEnough) return;
    const wanted = isDeepEnough ? cache.depth : deepest(roomy(depth), cache.depth);
    cache.resize(lanes, this.fits(lanes, wanted) ? wanted : depth);
  }

  /** Gives memory back when `lanes` of `depth` are far below what the slab holds; 0 lanes free all of it. */
  trim(lanes: number, depth: Depth): void {
    const cache = this.#cache;
    if (lanes === 0) {
      cache.resize(0, 0);
      return;
    }
    const manyLanes = cache.lanes > SLACK * lanes;
    const deepLanes = cache.bytesFor(1, cache.depth) > SLACK * cache.bytesFor(1, roomy(depth));
    if (manyLanes || deepLanes) cache.resize(lanes, deepLanes ? roomy(depth) : cache.depth);
  }
}

const roomy = (depth: Depth): Depth => mapDepth(depth, (rows) => rows + slackFor(rows));
