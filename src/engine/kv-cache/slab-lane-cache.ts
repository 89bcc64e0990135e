/**
 * The lane cache over flat memory, in which neighbouring lanes are one contiguous block: how far each lane is filled,
 * and so where its tokens' rows are. `slab-memory.ts` says where rows lie, `slab-rows.ts` copies them.
 */

import { type Depth, depthAt, evened, fitsIn, mapDepth } from './depth.js';
import type { KvRows, LaneCache } from './lane-cache.js';
import {
  cutTo,
  hasRoom,
  type Lane,
  prunedPart,
  prunedWithin,
  rowsOf,
  tokenRows,
  withWaiting,
} from './lane-state.js';
import type { PrunedPrompt } from './pruned-prompt.js';
import { type GrowingMemory, SlabMemory, type SlabShape } from './slab-memory.js';
import { type LanePlace, type LayerBlock, SlabRows } from './slab-rows.js';

export interface LaneCacheShape extends SlabShape {
  /** Capacity is rounded up to a multiple of this many tokens. */
  readonly step?: number;
}

export class SlabLaneCache implements LaneCache {
  readonly bytesPerToken: number;
  readonly #layers: number;
  readonly #step: number;
  readonly #memory: SlabMemory;
  readonly #rows: SlabRows;
  #lanes: Lane[] = [];
  #version = 0;

  /** `growing`: see `SlabMemory`. */
  constructor({ layers, kvHeads, headDim, step = 64 }: LaneCacheShape, growing?: GrowingMemory) {
    const shape = { layers, kvHeads, headDim };
    this.#layers = layers;
    this.#step = step;
    this.#memory = new SlabMemory(shape, growing);
    this.#rows = new SlabRows(shape, this.#memory);
    this.bytesPerToken = 2 * layers * kvHeads * headDim * Float32Array.BYTES_PER_ELEMENT;
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
    const part = prunedPart(pruned, from, to);
    if (part === undefined) {
      throw new RangeError(`tokens [${from}, ${to}) of lane ${lane} are part of a pruned prompt`);
    }
    const data = this.#rows.read(lane, (layer) => [
      tokenRows(pruned, layer, from),
      tokenRows(pruned, layer, to),
    ]);
    return { length: to - from, data, ...part };
  }

  /** Where a lane lies in one layer. */
  strip(layer: number, lane: number): LanePlace {
    return this.#rows.strip(layer, lane);
  }

  /** The first `rows` rows of one layer, copied: `[kvHeads, rows, headDim]` each. */
  readLayer(lane: number, layer: number, rows: number): LayerBlock {
    return this.#rows.readLayer(lane, layer, rows);
  }

  /** The slab of some neighbouring lanes, for the runtime to read: `[lanes, kvHeads, capacity, headDim]`. */
  layerBlock(layer: number, firstLane: number, lanes: number): LayerBlock {
    return this.#rows.layerBlock(layer, firstLane, lanes);
  }

  append(lane: number, rows: KvRows, count = rows.length): void {
    const state = this.#lane(lane);
    if (rows.pruned !== undefined && (state.length > 0 || count < rows.length)) {
      throw new RangeError(`a pruned prompt goes whole into an empty lane, not into lane ${lane}`);
    }
    const pruned = rows.pruned ?? withWaiting(state, rows.waiting, this.#layers);
    const next = { length: state.length + count, pruned };
    this.#requireRoom(lane, next);
    const waitsFrom = rows.waiting?.layer ?? this.#layers;
    this.#rows.write(
      lane,
      (layer) => [rowsOf(state, layer), rowsOf(next, layer)],
      rows.data,
      (layer) => (layer < waitsFrom ? tokenRows(rows.pruned, layer, rows.length) : 0),
    );
    Object.assign(state, next);
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
    this.requireRoom(firstLane, counts);
    for (let layer = 0; layer < newKeys.length; layer++) {
      const firsts = Array.from({ length: lanes }, (_, i) => this.rows(firstLane + i, layer));
      const fresh = { keys: newKeys[layer]!, values: newValues[layer]! };
      this.#rows.writeFresh(layer, fresh, { firstLane, rows, counts, firsts });
    }
    this.extend(firstLane, counts);
  }

  /** For so many more tokens of each of the lanes that begin at `firstLane`. */
  requireRoom(firstLane: number, counts: ArrayLike<number>): void {
    for (let i = 0; i < counts.length; i++) {
      const { length, pruned } = this.#lane(firstLane + i);
      this.#requireRoom(firstLane + i, { length: length + counts[i]!, pruned });
    }
  }

  /** Takes in what was written where the rows of the next tokens lie; there must be room for them. */
  extend(firstLane: number, counts: ArrayLike<number>): void {
    for (let i = 0; i < counts.length; i++) this.#lane(firstLane + i).length += counts[i]!;
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
      const first = rowsOf(state, layer);
      const rows = rowsOf(next, layer) - first;
      const fresh = { keys: newKeys[layer]!, values: newValues[layer]! };
      this.#rows.writeFresh(layer, fresh, { firstLane: lane, rows, counts: [rows], firsts: [first] });
    }
    Object.assign(state, next);
  }

  #move(lane: number, from: number, to: number): void {
    const { pruned } = this.#lane(lane);
    this.#rows.move(
      lane,
      (layer) => tokenRows(pruned, layer, from),
      (layer) => tokenRows(pruned, layer, to),
    );
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
