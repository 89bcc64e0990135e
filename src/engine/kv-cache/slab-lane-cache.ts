/**
 * The lane cache over flat memory, in which neighbouring lanes are one contiguous block (`slab-memory.ts`).
 */

import { copyFloats } from './copy-floats.js';
import { type Depth, depthAt, evened, fitsIn, mapDepth } from './depth.js';
import type { KvRows, LaneCache } from './lane-cache.js';
import { cutTo, hasRoom, type Lane, prunedWithin, rowsOf, tokenRows } from './lane-state.js';
import { PrunedPrompt, waitingRows } from './pruned-prompt.js';
import { type GrowingMemory, SlabMemory, type SlabShape } from './slab-memory.js';

export interface LaneCacheShape extends SlabShape {
  /** Capacity is rounded up to a multiple of this many tokens. */
  readonly step?: number;
}

export interface LayerBlock {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

const BYTES_PER_FLOAT = 4;

export class SlabLaneCache implements LaneCache {
  readonly bytesPerToken: number;
  readonly #layers: number;
  readonly #kvHeads: number;
  readonly #headDim: number;
  readonly #step: number;
  readonly #memory: SlabMemory;
  #lanes: Lane[] = [];
  #version = 0;

  /** `growing`: see `SlabMemory`. */
  constructor({ layers, kvHeads, headDim, step = 64 }: LaneCacheShape, growing?: GrowingMemory) {
    this.#layers = layers;
    this.#kvHeads = kvHeads;
    this.#headDim = headDim;
    this.#step = step;
    this.#memory = new SlabMemory({ layers, kvHeads, headDim }, growing);
    this.bytesPerToken = 2 * layers * kvHeads * headDim * BYTES_PER_FLOAT;
  }

  get lanes(): number {
    return this.#lanes.length;
  }

  get capacity(): number {
    return depthAt(this.depth, 0);
  }

  get depth(): Depth {
    return this.#memory.depth;
  }

  get mostBytes(): number {
    return this.#memory.mostBytes;
  }

  get untouchedBytes(): number {
    return this.#memory.untouchedBytes;
  }

  /** Changes whenever rows move or have another shape. */
  get version(): number {
    return this.#version;
  }

  bytesFor(lanes: number, depth: Depth): number {
    const rounded = this.#rounded(depth);
    if (typeof rounded === 'number') return lanes * rounded * this.bytesPerToken;
    const rows = rounded.reduce((sum, layerRows) => sum + layerRows, 0);
    return (lanes * rows * this.bytesPerToken) / this.#layers;
  }

  resize(lanes: number, depth: Depth): void {
    const rounded = this.#rounded(depth);
    const isSame = fitsIn(rounded, this.depth) && fitsIn(this.depth, rounded);
    if (lanes === this.lanes && isSame) return;
    const kept = this.#lanes.slice(0, lanes).map((lane) => cutTo(lane, rounded, this.#layers));
    this.#memory.reshape(lanes, rounded, kept.length, (lane, layer) => rowsOf(kept[lane]!, layer));
    const fresh = (): Lane => ({ length: 0, pruned: undefined });
    this.#lanes = Array.from({ length: lanes }, (_, lane) => kept[lane] ?? fresh());
    this.#version++;
  }

  length(lane: number): number {
    return this.#lane(lane).length;
  }

  pruned(lane: number): PrunedPrompt | undefined {
    return this.#lane(lane).pruned;
  }

  /** Rows of the lane in one layer. */
  rows(lane: number, layer: number): number {
    return rowsOf(this.#lane(lane), layer);
  }

  truncate(lane: number, length: number): void {
    const state = this.#lane(lane);
    state.length = Math.min(state.length, length);
    state.pruned = prunedWithin(state.pruned, state.length);
  }

  /** Copies nothing when the kept tokens are the first ones. */
  keep(lane: number, from: number, rows: readonly number[]): void {
    const state = this.#lane(lane);
    const last = rows.at(-1) ?? -1;
    if (from < (state.pruned?.length ?? 0) || from + last >= state.length) {
      throw new RangeError(`lane ${lane} holds ${state.length} tokens, none to move at ${from} + ${last}`);
    }
    rows.forEach((row, kept) => {
      if (row !== kept) this.#move(lane, from + row, from + kept);
    });
    state.length = from + rows.length;
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

  /** The data is, per layer, `[2, kvHeads, rows, headDim]`. */
  read(lane: number, from: number, to: number): KvRows {
    const { length, pruned } = this.#lane(lane);
    if (from < 0 || from > to || to > length) {
      throw new RangeError(`lane ${lane} holds ${length} tokens, not [${from}, ${to})`);
    }
    const isWhole = pruned?.waiting?.tokens === undefined;
    const waiting = pruned !== undefined && isWhole && from >= pruned.first ? pruned.waiting : undefined;
    const whole = from === 0 && waiting === undefined ? prunedWithin(pruned, to) : undefined;
    const isPart = pruned !== undefined && from < pruned.length && to > pruned.start;
    if (isPart && waiting === undefined && whole === undefined) {
      throw new RangeError(`tokens [${from}, ${to}) of lane ${lane} are part of a pruned prompt`);
    }
    const span = (layer: number) => [tokenRows(pruned, layer, from), tokenRows(pruned, layer, to)] as const;
    const memory = this.#memory;
    const data = new Float32Array(this.#floats((layer) => span(layer)[1] - span(layer)[0]));
    let target = 0;
    for (let tensor = 0; tensor < 2 * this.#layers; tensor++) {
      const [first, end] = span(tensor >> 1);
      const strip = (end - first) * this.#headDim;
      for (let head = 0; head < this.#kvHeads; head++, target += strip) {
        copyFloats(memory.floats, memory.offset(tensor, lane, head, first), data, target, strip);
      }
    }
    if (waiting === undefined) return { length: to - from, data, ...(whole && { pruned: whole }) };
    const rows = [waitingRows(waiting, from - pruned!.first, to - pruned!.first)];
    return { length: to - from, data, waiting: { ...waiting, rows } };
  }

  /** Bytes from the beginning of the slab to the keys of a lane in one layer, to its values, and between KV heads. */
  strip(
    layer: number,
    lane: number,
  ): { readonly keys: number; readonly values: number; readonly stride: number } {
    const place = (tensor: number, head: number): number =>
      BYTES_PER_FLOAT * this.#memory.offset(tensor, lane, head, 0);
    const [keys, values] = [place(2 * layer, 0), place(2 * layer + 1, 0)];
    return { keys, values, stride: place(2 * layer, 1) - keys };
  }

  /** The first `rows` rows of one layer: `[kvHeads, rows, headDim]` each. */
  readLayer(lane: number, layer: number, rows: number): LayerBlock {
    const memory = this.#memory;
    const copy = (tensor: number): Float32Array => {
      const strip = rows * this.#headDim;
      const data = new Float32Array(this.#kvHeads * strip);
      for (let head = 0; head < this.#kvHeads; head++) {
        copyFloats(memory.floats, memory.offset(tensor, lane, head, 0), data, head * strip, strip);
      }
      return data;
    };
    return { keys: copy(2 * layer), values: copy(2 * layer + 1) };
  }

  append(lane: number, rows: KvRows, count = rows.length): void {
    const state = this.#lane(lane);
    if (rows.pruned !== undefined && (state.length > 0 || count < rows.length)) {
      throw new RangeError(`a pruned prompt goes whole into an empty lane, not into lane ${lane}`);
    }
    const next = { length: state.length + count, pruned: rows.pruned ?? this.#withWaiting(state, rows) };
    this.#requireRoom(lane, next);
    let source = 0;
    const memory = this.#memory;
    for (let tensor = 0; tensor < 2 * this.#layers; tensor++) {
      const layer = tensor >> 1;
      const first = rowsOf(state, layer);
      const strip = (rowsOf(next, layer) - first) * this.#headDim;
      const isWaited = rows.waiting !== undefined && layer >= rows.waiting.layer;
      const stride = isWaited ? 0 : tokenRows(rows.pruned, layer, rows.length) * this.#headDim;
      for (let head = 0; head < this.#kvHeads; head++, source += stride) {
        copyFloats(rows.data, source, memory.floats, memory.offset(tensor, lane, head, first), strip);
      }
    }
    Object.assign(state, next);
  }

  /** The prompt of a lane to which rows are appended, whole if they wait. */
  #withWaiting({ length, pruned }: Lane, { waiting }: KvRows): PrunedPrompt | undefined {
    if (waiting === undefined) return pruned;
    const [first, base] = pruned?.waiting === undefined ? [length, pruned] : [pruned.first, pruned.base];
    const rows = [...(pruned?.waiting?.rows ?? []), ...waiting.rows];
    return PrunedPrompt.waitingBehind(first, this.#layers, { ...waiting, rows }, base);
  }

  /** The slab of some neighbouring lanes, for the runtime to read: `[lanes, kvHeads, capacity, headDim]`. */
  layerBlock(layer: number, firstLane: number, lanes: number): LayerBlock {
    const memory = this.#memory;
    const part = (tensor: number) =>
      memory.floats.subarray(
        memory.offset(tensor, firstLane, 0, 0),
        memory.offset(tensor, firstLane + lanes, 0, 0),
      );
    return { keys: part(2 * layer), values: part(2 * layer + 1) };
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
    const states = Array.from({ length: lanes }, (_, i) => this.#lane(firstLane + i));
    states.forEach((state, i) => {
      this.#requireRoom(firstLane + i, { ...state, length: state.length + counts[i]! });
    });
    for (let layer = 0; layer < newKeys.length; layer++) {
      this.#scatter(2 * layer, firstLane, rows, counts, newKeys[layer]!);
      this.#scatter(2 * layer + 1, firstLane, rows, counts, newValues[layer]!);
    }
    states.forEach((state, i) => {
      state.length += counts[i]!;
    });
  }

  /**
   * Takes a lane on to `pruned`, from the tokens before its images or from an earlier stage of it: per layer the rows
   * that are new, `[kvHeads, rows, headDim]`.
   */
  appendPruned(
    lane: number,
    pruned: PrunedPrompt,
    newKeys: readonly Float32Array[],
    newValues: readonly Float32Array[],
  ): void {
    const state = this.#lane(lane);
    const isStage = state.pruned?.waiting !== undefined && state.pruned.first === pruned.first;
    if (!isStage && (state.pruned !== pruned.base || state.length !== pruned.first)) {
      throw new RangeError(`lane ${lane} does not hold just the ${pruned.first} tokens before its images`);
    }
    const next: Lane = { length: pruned.length, pruned };
    this.#requireRoom(lane, next);
    for (let layer = 0; layer < this.#layers; layer++) {
      const counts = [rowsOf(next, layer) - rowsOf(state, layer)];
      this.#scatter(2 * layer, lane, counts[0]!, counts, newKeys[layer]!);
      this.#scatter(2 * layer + 1, lane, counts[0]!, counts, newValues[layer]!);
    }
    Object.assign(state, next);
  }

  #scatter(
    tensor: number,
    firstLane: number,
    rows: number,
    counts: ArrayLike<number>,
    fresh: Float32Array,
  ): void {
    const memory = this.#memory;
    const strip = rows * this.#headDim;
    let source = 0;
    for (let i = 0; i < counts.length; i++) {
      const first = rowsOf(this.#lanes[firstLane + i]!, tensor >> 1);
      for (let head = 0; head < this.#kvHeads; head++, source += strip) {
        const target = memory.offset(tensor, firstLane + i, head, first);
        copyFloats(fresh, source, memory.floats, target, counts[i]! * this.#headDim);
      }
    }
  }

  #move(lane: number, from: number, to: number): void {
    const memory = this.#memory;
    const { pruned } = this.#lane(lane);
    for (let tensor = 0; tensor < 2 * this.#layers; tensor++) {
      const layer = tensor >> 1;
      for (let head = 0; head < this.#kvHeads; head++) {
        const source = memory.offset(tensor, lane, head, tokenRows(pruned, layer, from));
        const target = memory.offset(tensor, lane, head, tokenRows(pruned, layer, to));
        copyFloats(memory.floats, source, memory.floats, target, this.#headDim);
      }
    }
  }

  /** Floats of keys and values that the layers have for so many rows each. */
  #floats(rowsIn: (layer: number) => number): number {
    let rows = 0;
    for (let layer = 0; layer < this.#layers; layer++) rows += rowsIn(layer);
    return 2 * rows * this.#kvHeads * this.#headDim;
  }

  #rounded(depth: Depth): Depth {
    return evened(mapDepth(depth, (rows) => Math.ceil(rows / this.#step) * this.#step));
  }

  #lane(lane: number): Lane {
    const state = this.#lanes[lane];
    if (state === undefined) throw new RangeError(`lane ${lane} of ${this.lanes}`);
    return state;
  }

  #requireRoom(lane: number, next: Lane): void {
    if (hasRoom(next, this.depth, this.#layers)) return;
    const capacity = typeof this.depth === 'number' ? this.depth : `${this.depth} per layer`;
    throw new RangeError(`lane ${lane} needs ${next.length} tokens, its capacity is ${capacity}`);
  }
}
