/**
 * Who is in a lane and who waits. What does not fit in the budget waits; what stops fitting is swapped out, keys
 * and values and all, and goes on later as if nothing had happened.
 */

import { type Depth, deepest, mapDepth } from '../kv-cache/depth.js';
import type { LaneCache } from '../kv-cache/lane-cache.js';
import { depthOf } from '../sequence/pruning-plan.js';
import type { Sequence } from '../sequence/sequence.js';
import { LaneTable } from './lane-table.js';
import type { PrefixReuse } from './prefix-reuse.js';
import { SlabBudget } from './slab-budget.js';
import { byRank, WaitingQueue } from './waiting-queue.js';

/** Tokens by which a lane is about to grow. */
export type Growth = (sequence: Sequence) => number;

export interface OccupancyLimits {
  readonly maxLanes: number;
  readonly kvCacheBytes: number;
  /** Longest sequence of the model, in tokens. */
  readonly contextLength: number;
}

/** Tokens that every lane should be able to grow by when another one enters, so that none is evicted at once. */
const HEADROOM = 64;
/** Most rows that a lane gets in a step when it verifies a draft. */
const MAX_LANE_ROWS = 64;

export class Occupancy {
  readonly lanes: LaneTable;
  readonly waiting = new WaitingQueue();
  readonly #cache: LaneCache;
  readonly #prefixes: PrefixReuse;
  readonly #slab: SlabBudget;
  readonly #limits: OccupancyLimits;
  #preemptions = 0;

  constructor(cache: LaneCache, prefixes: PrefixReuse, limits: OccupancyLimits) {
    this.lanes = new LaneTable(cache);
    this.#cache = cache;
    this.#prefixes = prefixes;
    this.#slab = new SlabBudget(cache, limits.kvCacheBytes);
    this.#limits = limits;
  }

  /** The longest sequence that both the model and the memory allow. */
  get longestSequence(): number {
    return Math.min(this.#limits.contextLength, this.#slab.longestSequence);
  }

  get freeLanes(): number {
    return this.#limits.maxLanes - this.lanes.used;
  }

  /** Of the budget, 0–1. */
  get kvUsage(): number {
    return this.#slab.usage;
  }

  /** How often a sequence had to make room so far. */
  get preemptions(): number {
    return this.#preemptions;
  }

  dropCancelled(): void {
    this.waiting.removeCancelled();
    for (const sequence of this.lanes.all) {
      if (sequence.generation.cancelled) this.lanes.remove(sequence);
    }
  }

  /** Strictly in order of rank: what does not fit holds up those behind it, so that long requests get a turn. */
  enterWaiting(): void {
    for (let next = this.waiting.first(); next !== undefined; next = this.waiting.first()) {
      if (!this.#mayEnter(next)) return;
      this.waiting.shift();
      this.#enter(next);
    }
  }

  /** Swaps out the last in rank until every lane can grow by what the step appends to it. */
  makeRoom(growth: Growth): void {
    for (;;) {
      const needed = this.#deepest(growth);
      if (this.#slab.fits(this.lanes.used, needed)) {
        this.#slab.reserve(this.lanes.used, needed);
        return;
      }
      this.#preempt(this.lanes.all.sort(byRank).at(-1)!);
    }
  }

  /** Rows that every decoding lane can take at once without anybody making room for them. */
  get roomRows(): number {
    let rows = MAX_LANE_ROWS;
    while (rows > 1 && !this.#slab.fits(this.lanes.used, this.#deepest(this.#drafted(rows)))) rows >>= 1;
    return rows;
  }

  /** For as many rows in each decoding lane, at most `roomRows`. */
  reserveRows(rows: number): void {
    this.#slab.reserve(this.lanes.used, this.#deepest(this.#drafted(rows)));
  }

  /** Gives back memory that is far more than what is in use, or will be when the prompts are complete. */
  trim(): void {
    this.#slab.trim(this.lanes.used, this.lanes.all.map(wholeDepth).reduce(deepest, 0));
  }

  /** Tokens whose keys and values are still missing, be it in some layers. */
  pending(sequence: Sequence): number {
    return sequence.tokens.length - this.lanes.complete(sequence);
  }

  #mayEnter(sequence: Sequence): boolean {
    const { used } = this.lanes;
    if (used === 0) return true;
    const roomy = mapDepth(deepest(this.#deepest(), wholeDepth(sequence)), (rows) =>
      Math.min(rows + HEADROOM, this.longestSequence),
    );
    return used < this.#limits.maxLanes && this.#slab.fits(used + 1, roomy);
  }

  #enter(sequence: Sequence): void {
    const { saved } = sequence;
    const known = saved === undefined ? this.#prefixes.find(sequence) : [];
    this.#slab.reserve(this.lanes.used + 1, deepest(this.#deepest(), wholeDepth(sequence)));
    const lane = this.lanes.add(sequence);
    if (saved === undefined) {
      this.#prefixes.take(sequence, lane, known);
    } else {
      this.#cache.append(lane, saved);
      sequence.saved = undefined;
    }
    if (this.#decodes(sequence)) this.lanes.promote(sequence);
  }

  /** One missing row is a decode, also when it is the last of a prompt that was cached. */
  #decodes(sequence: Sequence): boolean {
    return this.pending(sequence) === 1 && !sequence.generation.scoring;
  }

  #preempt(sequence: Sequence): void {
    const lane = this.lanes.laneOf(sequence);
    sequence.saved = this.#cache.read(lane, 0, this.#cache.length(lane));
    this.lanes.remove(sequence);
    this.waiting.push(sequence);
    this.#preemptions++;
  }

  #drafted(rows: number): Growth {
    return (sequence) => (this.lanes.isDecoding(sequence) ? rows : 0);
  }

  #deepest(growth: Growth = () => 0): Depth {
    return this.lanes.all.map((sequence) => this.lanes.depth(sequence, growth(sequence))).reduce(deepest, 0);
  }
}

/** Rows in each layer when all tokens so far are computed. */
function wholeDepth({ generation, tokens }: Sequence): Depth {
  return depthOf(generation.pruning, tokens.length);
}
