/**
 * The lane cache as flat memory: per layer one array for keys and one for values, `[lanes, kvHeads, capacity,
 * headDim]` each, so that neighbouring lanes are one contiguous block. Nothing outside this file knows that
 * layout. Rows behind the length of a lane are stale but always finite, so a masked read of them is harmless.
 */

import type { KvRows, LaneCache } from './lane-cache.js';

export interface LaneCacheShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Capacity is rounded up to a multiple of this many tokens. */
  readonly step?: number;
}

export interface LayerBlock {
  /** `[lanes, kvHeads, capacity, headDim]`, views into the slab. */
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

const BYTES_PER_FLOAT = 4;

export class SlabLaneCache implements LaneCache {
  readonly bytesPerToken: number;
  readonly #kvHeads: number;
  readonly #headDim: number;
  readonly #step: number;
  #lanes = 0;
  #capacity = 0;
  #lengths = new Int32Array(0);
  /** Keys of layer 0, values of layer 0, keys of layer 1, … */
  #tensors: Float32Array[];

  constructor({ layers, kvHeads, headDim, step = 64 }: LaneCacheShape) {
    this.#kvHeads = kvHeads;
    this.#headDim = headDim;
    this.#step = step;
    this.#tensors = Array.from({ length: 2 * layers }, () => new Float32Array(0));
    this.bytesPerToken = 2 * layers * kvHeads * headDim * BYTES_PER_FLOAT;
  }

  get lanes(): number {
    return this.#lanes;
  }

  get capacity(): number {
    return this.#capacity;
  }

  bytesFor(lanes: number, capacity: number): number {
    return lanes * this.#rounded(capacity) * this.bytesPerToken;
  }

  /** Layer by layer, so that the peak is the old slab and the new one of a single layer. */
  resize(lanes: number, capacity: number): void {
    const rounded = this.#rounded(capacity);
    if (lanes === this.#lanes && rounded === this.#capacity) return;
    const lengths = new Int32Array(lanes);
    for (let lane = 0; lane < Math.min(lanes, this.#lanes); lane++) {
      lengths[lane] = Math.min(this.#lengths[lane]!, rounded);
    }
    for (let t = 0; t < this.#tensors.length; t++) {
      this.#tensors[t] = this.#resized(this.#tensors[t]!, lengths, rounded);
    }
    this.#lengths = lengths;
    this.#lanes = lanes;
    this.#capacity = rounded;
  }

  length(lane: number): number {
    return this.#lengths[this.#checked(lane)]!;
  }

  truncate(lane: number, length: number): void {
    this.#lengths[this.#checked(lane)] = Math.min(this.length(lane), length);
  }

  /** Copies nothing when the kept tokens are the first ones. */
  keep(lane: number, from: number, rows: readonly number[]): void {
    const last = rows.at(-1) ?? -1;
    if (from < 0 || from + last >= this.length(lane)) {
      throw new RangeError(`lane ${lane} holds ${this.length(lane)} tokens, none at ${from} + ${last}`);
    }
    rows.forEach((row, kept) => {
      if (row !== kept) this.#move(lane, from + row, from + kept);
    });
    this.#lengths[lane] = from + rows.length;
  }

  swap(laneA: number, laneB: number): void {
    if (laneA === laneB) return;
    const rowsA = this.read(laneA, 0, this.length(laneA));
    const rowsB = this.read(laneB, 0, this.length(laneB));
    this.truncate(laneA, 0);
    this.truncate(laneB, 0);
    this.append(laneA, rowsB);
    this.append(laneB, rowsA);
  }

  /** The rows are `[2 * layers, kvHeads, to - from, headDim]`. */
  read(lane: number, from: number, to: number): KvRows {
    if (from < 0 || from > to || to > this.length(lane)) {
      throw new RangeError(`lane ${lane} holds ${this.length(lane)} tokens, not [${from}, ${to})`);
    }
    const strip = (to - from) * this.#headDim;
    const data = new Float32Array(this.#tensors.length * this.#kvHeads * strip);
    let target = 0;
    for (const tensor of this.#tensors) {
      for (let head = 0; head < this.#kvHeads; head++, target += strip) {
        copyFloats(tensor, this.#offset(lane, head, from), data, target, strip);
      }
    }
    return { length: to - from, data };
  }

  append(lane: number, rows: KvRows, count = rows.length): void {
    const length = this.length(lane);
    this.#requireRoom(lane, count);
    const stride = rows.length * this.#headDim;
    let source = 0;
    for (const tensor of this.#tensors) {
      for (let head = 0; head < this.#kvHeads; head++, source += stride) {
        copyFloats(rows.data, source, tensor, this.#offset(lane, head, length), count * this.#headDim);
      }
    }
    this.#lengths[lane] = length + count;
  }

  /** The slab of some neighbouring lanes, for the runtime to read. */
  layerBlock(layer: number, firstLane: number, lanes: number): LayerBlock {
    const from = this.#offset(firstLane, 0, 0);
    const to = this.#offset(firstLane + lanes, 0, 0);
    return {
      keys: this.#tensors[2 * layer]!.subarray(from, to),
      values: this.#tensors[2 * layer + 1]!.subarray(from, to),
    };
  }

  /**
   * Appends what a forward returned: per layer `[lanes, kvHeads, rows, headDim]` for the lanes that begin at
   * `firstLane`. Of each lane the first `counts[lane]` rows are taken (default: all).
   */
  appendRows(
    firstLane: number,
    lanes: number,
    rows: number,
    newKeys: readonly Float32Array[],
    newValues: readonly Float32Array[],
    counts: ArrayLike<number> = new Int32Array(lanes).fill(rows),
  ): void {
    for (let i = 0; i < lanes; i++) this.#requireRoom(firstLane + i, counts[i]!);
    for (let layer = 0; layer < newKeys.length; layer++) {
      this.#scatter(newKeys[layer]!, this.#tensors[2 * layer]!, firstLane, rows, counts);
      this.#scatter(newValues[layer]!, this.#tensors[2 * layer + 1]!, firstLane, rows, counts);
    }
    for (let i = 0; i < lanes; i++) this.#lengths[firstLane + i]! += counts[i]!;
  }

  #scatter(
    fresh: Float32Array,
    slab: Float32Array,
    firstLane: number,
    rows: number,
    counts: ArrayLike<number>,
  ): void {
    const strip = rows * this.#headDim;
    let source = 0;
    for (let i = 0; i < counts.length; i++) {
      const lane = firstLane + i;
      for (let head = 0; head < this.#kvHeads; head++, source += strip) {
        const target = this.#offset(lane, head, this.#lengths[lane]!);
        copyFloats(fresh, source, slab, target, counts[i]! * this.#headDim);
      }
    }
  }

  #move(lane: number, from: number, to: number): void {
    for (const tensor of this.#tensors) {
      for (let head = 0; head < this.#kvHeads; head++) {
        copyFloats(
          tensor,
          this.#offset(lane, head, from),
          tensor,
          this.#offset(lane, head, to),
          this.#headDim,
        );
      }
    }
  }

  #resized(old: Float32Array, lengths: Int32Array, capacity: number): Float32Array {
    const fresh = new Float32Array(lengths.length * this.#kvHeads * capacity * this.#headDim);
    for (let lane = 0; lane < Math.min(lengths.length, this.#lanes); lane++) {
      for (let head = 0; head < this.#kvHeads; head++) {
        const target = (lane * this.#kvHeads + head) * capacity * this.#headDim;
        copyFloats(old, this.#offset(lane, head, 0), fresh, target, lengths[lane]! * this.#headDim);
      }
    }
    return fresh;
  }

  /** Index of the first float of a token in every tensor. */
  #offset(lane: number, head: number, token: number): number {
    return ((lane * this.#kvHeads + head) * this.#capacity + token) * this.#headDim;
  }

  #rounded(capacity: number): number {
    return Math.ceil(capacity / this.#step) * this.#step;
  }

  #checked(lane: number): number {
    if (lane < 0 || lane >= this.#lanes) throw new RangeError(`lane ${lane} of ${this.#lanes}`);
    return lane;
  }

  #requireRoom(lane: number, count: number): void {
    const needed = this.length(lane) + count;
    if (needed > this.#capacity) {
      throw new RangeError(`lane ${lane} needs ${needed} tokens, its capacity is ${this.#capacity}`);
    }
  }
}

/** A plain loop beats `set` on a view up to about this many floats. */
const SHORT_COPY = 128;

function copyFloats(
  source: Float32Array,
  from: number,
  target: Float32Array,
  to: number,
  count: number,
): void {
  if (count > SHORT_COPY) {
    target.set(source.subarray(from, from + count), to);
    return;
  }
  for (let i = 0; i < count; i++) target[to + i] = source[from + i]!;
}
