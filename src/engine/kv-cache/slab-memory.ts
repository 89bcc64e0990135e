/**
 * Where the rows of the slab lie: tensors one after another, `[lanes, kvHeads, capacity, headDim]` each, keys and
 * values of a layer being two of them. A strip is what a lane holds of one head in one tensor.
 *
 * The buffer is larger than the slab, so that the slab mostly grows in place; pages that were never written take
 * no memory. Rows behind the end of a lane are stale but always finite, so a masked read of them is harmless.
 */

import { copyFloats } from './copy-floats.js';
import { type Depth, depthAt } from './depth.js';
import { freeMemory } from './free-memory.js';

export interface SlabShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Room for a slab so many times larger, but for at most so many floats more. */
const ROOM = 4;
const MOST_ROOM = 2 ** 28;
/** The buffer is exchanged for a smaller one when less than this part of what was written is needed. */
const SHRINK = 0.5;

/** Memory that grows where it is, and never shrinks. */
export interface GrowingMemory {
  readonly mostBytes: number;
  /** At least so many floats, always from the same place on. */
  reach(count: number): Float32Array;
}

export class SlabMemory {
  readonly #shape: SlabShape;
  readonly #growing: GrowingMemory | undefined;
  #floats: Float32Array = new Float32Array(0);
  #depth: Depth = 0;
  /** First float of each tensor, and the end of the last one. */
  #starts: readonly number[];
  /** Floats that the slab has ever used of the buffer. */
  #touched = 0;

  /** `growing` if the slab must not lie just anywhere. */
  constructor(shape: SlabShape, growing?: GrowingMemory) {
    this.#shape = shape;
    this.#growing = growing;
    this.#starts = this.#startsOf(0, 0);
  }

  get depth(): Depth {
    return this.#depth;
  }

  /** All tensors. Another array whenever the slab moves to another buffer. */
  get floats(): Float32Array {
    return this.#floats;
  }

  get mostBytes(): number {
    return this.#growing?.mostBytes ?? Number.POSITIVE_INFINITY;
  }

  /** What the buffer reserves beyond what was ever used of it. */
  get untouchedBytes(): number {
    return 4 * (this.#floats.length - this.#touched);
  }

  /** Index of the first float of a row; tensor 2·l holds the keys of layer l, 2·l + 1 its values. */
  offset(tensor: number, lane: number, head: number, row: number): number {
    const { kvHeads, headDim } = this.#shape;
    const capacity = depthAt(this.#depth, tensor >> 1);
    return this.#starts[tensor]! + ((lane * kvHeads + head) * capacity + row) * headDim;
  }

  /** Keeps the first `kept(lane, layer)` rows of the lanes from 0 to `keptLanes`. */
  reshape(
    lanes: number,
    depth: Depth,
    keptLanes: number,
    kept: (lane: number, layer: number) => number,
  ): void {
    const starts = this.#startsOf(lanes, depth);
    const needed = starts.at(-1)!;
    const strips = this.#strips(starts, depth, keptLanes, kept);
    if (needed > this.#floats.length) this.#floats = this.#growing?.reach(needed) ?? this.#floats;
    const old = this.#floats;
    const isWorthKeeping = this.#growing !== undefined || needed >= SHRINK * this.#touched;
    const isInPlace = needed <= old.length && isWorthKeeping;
    if (isInPlace) moveWithin(old, strips);
    else {
      this.#floats = allocate(needed);
      for (const { from, to, count } of strips) copyFloats(old, from, this.#floats, to, count);
      freeMemory(old as Float32Array<ArrayBuffer>);
    }
    this.#touched = isInPlace ? Math.max(this.#touched, needed) : needed;
    this.#starts = starts;
    this.#depth = depth;
  }

  #startsOf(lanes: number, depth: Depth): number[] {
    const { layers, kvHeads, headDim } = this.#shape;
    const starts = [0];
    for (let tensor = 0; tensor < 2 * layers; tensor++) {
      starts.push(starts[tensor]! + lanes * kvHeads * depthAt(depth, tensor >> 1) * headDim);
    }
    return starts;
  }

  /** In the order in which they lie, before and after. */
  #strips(
    starts: readonly number[],
    depth: Depth,
    lanes: number,
    kept: (lane: number, layer: number) => number,
  ): Strip[] {
    const { layers, kvHeads, headDim } = this.#shape;
    const strips: Strip[] = [];
    for (let tensor = 0; tensor < 2 * layers; tensor++) {
      const capacity = depthAt(depth, tensor >> 1);
      for (let lane = 0; lane < lanes; lane++) {
        const count = kept(lane, tensor >> 1) * headDim;
        for (let head = 0; head < kvHeads; head++) {
          const to = starts[tensor]! + (lane * kvHeads + head) * capacity * headDim;
          strips.push({ from: this.offset(tensor, lane, head, 0), to, count });
        }
      }
    }
    return strips;
  }
}

interface Strip {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Strips keep their order, so those that move down never meet those that move up. */
function moveWithin(floats: Float32Array, strips: readonly Strip[]): void {
  for (const { from, to, count } of strips) {
    if (to < from) floats.copyWithin(to, from, from + count);
  }
  for (let i = strips.length - 1; i >= 0; i--) {
    const { from, to, count } = strips[i]!;
    if (to > from) floats.copyWithin(to, from, from + count);
  }
}

function allocate(needed: number): Float32Array<ArrayBuffer> {
  const roomy = needed + Math.min((ROOM - 1) * needed, MOST_ROOM);
  try {
    return new Float32Array(roomy);
  } catch {
    return new Float32Array(needed);
  }
}
