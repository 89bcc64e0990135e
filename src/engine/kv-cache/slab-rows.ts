/**
 * Keys and values on their way into the slab, out of it and within: per head of a lane some rows in one piece. Which
 * tokens the rows belong to is for the lane cache to say.
 */

import { copyFloats } from './copy-floats.js';
import type { SlabMemory, SlabShape } from './slab-memory.js';

export interface LayerBlock {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** The rows `[first, end)` of each layer. */
export type RowSpan = (layer: number) => readonly [first: number, end: number];

/** Where fresh rows go: the first `counts[i]` of the `rows` of each lane behind the `firsts[i]` that it has. */
export interface FreshPlace {
  readonly firstLane: number;
  readonly rows: number;
  readonly counts: ArrayLike<number>;
  readonly firsts: ArrayLike<number>;
}

/** In bytes: from the beginning of the slab to the keys and to the values of a lane, and from one KV head to the next. */
export interface LanePlace {
  readonly keys: number;
  readonly values: number;
  readonly stride: number;
}

export class SlabRows {
  readonly #shape: SlabShape;
  readonly #memory: SlabMemory;

  constructor(shape: SlabShape, memory: SlabMemory) {
    this.#shape = shape;
    this.#memory = memory;
  }

  /** Copies out, per layer `[2, kvHeads, rows, headDim]`. */
  read(lane: number, span: RowSpan): Float32Array<ArrayBuffer> {
    const { kvHeads, headDim } = this.#shape;
    const memory = this.#memory;
    const data = new Float32Array(this.#floats(span));
    let target = 0;
    this.#eachTensor((tensor, layer) => {
      const [first, end] = span(layer);
      const strip = (end - first) * headDim;
      for (let head = 0; head < kvHeads; head++, target += strip) {
        copyFloats(memory.floats, memory.offset(tensor, lane, head, first), data, target, strip);
      }
    });
    return data;
  }

  /** Copies in what `read` gave, of which `held(layer)` are the rows; they may be more than the span takes. */
  write(lane: number, span: RowSpan, data: Float32Array, held: (layer: number) => number): void {
    const { kvHeads, headDim } = this.#shape;
    const memory = this.#memory;
    let source = 0;
    this.#eachTensor((tensor, layer) => {
      const [first, end] = span(layer);
      const [strip, stride] = [(end - first) * headDim, held(layer) * headDim];
      for (let head = 0; head < kvHeads; head++, source += stride) {
        copyFloats(data, source, memory.floats, memory.offset(tensor, lane, head, first), strip);
      }
    });
  }

  /** Copies in what a forward returned for some neighbouring lanes of one layer: `[lanes, kvHeads, rows, headDim]`. */
  writeFresh(layer: number, { keys, values }: LayerBlock, place: FreshPlace): void {
    this.#scatter(2 * layer, keys, place);
    this.#scatter(2 * layer + 1, values, place);
  }

  /** Copies one row of a lane over another; of each layer its own. */
  move(lane: number, from: (layer: number) => number, to: (layer: number) => number): void {
    const { kvHeads, headDim } = this.#shape;
    const memory = this.#memory;
    this.#eachTensor((tensor, layer) => {
      for (let head = 0; head < kvHeads; head++) {
        const source = memory.offset(tensor, lane, head, from(layer));
        const target = memory.offset(tensor, lane, head, to(layer));
        copyFloats(memory.floats, source, memory.floats, target, headDim);
      }
    });
  }

  /** Copies out the first `rows` rows of one layer: `[kvHeads, rows, headDim]` each. */
  readLayer(lane: number, layer: number, rows: number): LayerBlock {
    const { kvHeads, headDim } = this.#shape;
    const memory = this.#memory;
    const copy = (tensor: number): Float32Array => {
      const strip = rows * headDim;
      const data = new Float32Array(kvHeads * strip);
      for (let head = 0; head < kvHeads; head++) {
        copyFloats(memory.floats, memory.offset(tensor, lane, head, 0), data, head * strip, strip);
      }
      return data;
    };
    return { keys: copy(2 * layer), values: copy(2 * layer + 1) };
  }

  /** The slab itself, where some neighbouring lanes lie: `[lanes, kvHeads, capacity, headDim]`. */
  layerBlock(layer: number, firstLane: number, lanes: number): LayerBlock {
    const memory = this.#memory;
    const part = (tensor: number) =>
      memory.floats.subarray(
        memory.offset(tensor, firstLane, 0, 0),
        memory.offset(tensor, firstLane + lanes, 0, 0),
      );
    return { keys: part(2 * layer), values: part(2 * layer + 1) };
  }

  /** Where a lane lies in one layer. */
  strip(layer: number, lane: number): LanePlace {
    const place = (tensor: number, head: number): number =>
      Float32Array.BYTES_PER_ELEMENT * this.#memory.offset(tensor, lane, head, 0);
    const [keys, values] = [place(2 * layer, 0), place(2 * layer + 1, 0)];
    return { keys, values, stride: place(2 * layer, 1) - keys };
  }

  #scatter(tensor: number, fresh: Float32Array, { firstLane, rows, counts, firsts }: FreshPlace): void {
    const { kvHeads, headDim } = this.#shape;
    const memory = this.#memory;
    const strip = rows * headDim;
    let source = 0;
    for (let i = 0; i < counts.length; i++) {
      for (let head = 0; head < kvHeads; head++, source += strip) {
        const target = memory.offset(tensor, firstLane + i, head, firsts[i]!);
        copyFloats(fresh, source, memory.floats, target, counts[i]! * headDim);
      }
    }
  }

  /** Keys and values of the layers in turn, as they lie in the slab. */
  #eachTensor(visit: (tensor: number, layer: number) => void): void {
    for (let tensor = 0; tensor < 2 * this.#shape.layers; tensor++) visit(tensor, tensor >> 1);
  }

  #floats(span: RowSpan): number {
    const { layers, kvHeads, headDim } = this.#shape;
    let rows = 0;
    for (let layer = 0; layer < layers; layer++) {
      const [first, end] = span(layer);
      rows += end - first;
    }
    return 2 * rows * kvHeads * headDim;
  }
}
