/**
 * Keys and values of the running sequences. A lane is one sequence; running lanes are a prefix of the slab, so
 * that a batch is one contiguous block which crosses into the runtime without a copy.
 *
 * The length of a lane is counted in tokens. A layer usually holds a row for each of them; of a pruned prompt it
 * holds fewer.
 */

import type { Depth } from './depth.js';
import type { PrunedPrompt, Waiting } from './pruned-prompt.js';

/** Keys and values of some consecutive tokens of one lane, all layers, detached from the slab. */
export interface KvRows {
  readonly length: number;
  readonly data: Float32Array<ArrayBuffer>;
  /** If the tokens begin with a pruned prompt. */
  readonly pruned?: PrunedPrompt;
  /** If only the layers before the one where the tokens wait have them. */
  readonly waiting?: Waiting;
}

export interface LaneCache {
  /** Bytes of keys and values that one token takes over all layers. */
  readonly bytesPerToken: number;
  readonly lanes: number;
  /** Rows per lane that the slab now has room for, in the first layer and in each. */
  readonly capacity: number;
  readonly depth: Depth;
  /** Bytes that the slab can ever have. */
  readonly mostBytes: number;
  /** Bytes that are reserved for growth and were never used, so that they take no memory. */
  readonly untouchedBytes: number;
  /** Bytes that a slab of that shape takes, after rounding up to the allocation step. */
  bytesFor(lanes: number, depth: Depth): number;
  /** Makes room (or gives it back), keeping the contents of every lane and token that still fits. */
  resize(lanes: number, depth: Depth): void;
  length(lane: number): number;
  /** Undefined for a lane whose layers all hold all tokens. */
  pruned(lane: number): PrunedPrompt | undefined;
  /** Forgets all tokens of the lane from `length` on. */
  truncate(lane: number, length: number): void;
  /** Of the tokens from `from` on keeps those at the ascending offsets `rows`, moved together. */
  keep(lane: number, from: number, rows: readonly number[]): void;
  swap(laneA: number, laneB: number): void;
  /** Copies tokens `[from, to)` out. A pruned prompt is read from token 0 on, unless its tokens still wait. */
  read(lane: number, from: number, to: number): KvRows;
  /** Appends the first `count` tokens of `rows` (default: all) to the lane. */
  append(lane: number, rows: KvRows, count?: number): void;
}
