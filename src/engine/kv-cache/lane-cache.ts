/**
 * Keys and values of the running sequences. A lane is one sequence; running lanes are a prefix of the slab, so
 * that a batch is one contiguous block which crosses into the runtime without a copy.
 */

/** Keys and values of some consecutive tokens of one lane, all layers, detached from the slab. */
export interface KvRows {
  readonly length: number;
  readonly data: Float32Array;
}

export interface LaneCache {
  /** Bytes of keys and values that one token takes over all layers. */
  readonly bytesPerToken: number;
  /** Lanes and tokens per lane that the slab now has room for. */
  readonly lanes: number;
  readonly capacity: number;
  /** Bytes that a slab of that shape takes, after rounding up to the allocation step. */
  bytesFor(lanes: number, capacity: number): number;
  /** Makes room (or gives it back), keeping the contents of every lane and token that still fits. */
  resize(lanes: number, capacity: number): void;
  length(lane: number): number;
  /** Forgets all tokens of the lane from `length` on. */
  truncate(lane: number, length: number): void;
  /** Of the tokens from `from` on keeps those at the ascending offsets `rows`, moved together. */
  keep(lane: number, from: number, rows: readonly number[]): void;
  swap(laneA: number, laneB: number): void;
  /** Copies tokens `[from, to)` out. */
  read(lane: number, from: number, to: number): KvRows;
  /** Appends the first `count` tokens of `rows` (default: all) to the lane. */
  append(lane: number, rows: KvRows, count?: number): void;
}
