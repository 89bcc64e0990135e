/** Writes what a step says of its rows and of the cache into the memory where all threads read it. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import type { RotaryTables } from '../models/rotary.js';
import { mostRows, type StepRoom, stripIntegers } from './decoder-layout.js';
import type { KernelMemory } from './kernel-memory.js';

/** Rows of neighbouring lanes, `perLane` each. */
export interface KernelStep {
  readonly firstLane: number;
  readonly lanes: number;
  readonly perLane: number;
  /** `[lanes]`: the first rows of each lane, whose keys and values go into the cache. */
  readonly counts: ArrayLike<number>;
  /** `[lanes, perLane]`, see `RowPlaces`. */
  readonly parents: Int32Array;
  readonly depths: Int32Array;
  readonly logitRows: Int32Array;
  readonly rotary: RotaryTables;
  /** `[lanes, perLane, hiddenSize]` */
  readonly embeddings: Float32Array;
}

export class StepWriter {
  readonly #config: DecoderConfig;
  readonly #room: StepRoom;
  readonly #slabStart: number;
  /** All that lies below the slab, by words. */
  readonly #floats: Float32Array;
  readonly #integers: Int32Array;
  /** What the strips in the memory were written for. */
  #strips = { version: -1, firstLane: -1 };

  constructor(config: DecoderConfig, room: StepRoom, memory: KernelMemory) {
    this.#config = config;
    this.#room = room;
    this.#slabStart = memory.slab(0).byteOffset;
    this.#floats = memory.floats(0, this.#slabStart / 4);
    this.#integers = memory.integers(0, this.#slabStart / 4);
  }

  write(step: KernelStep, cache: SlabLaneCache): void {
    const { control, asked } = this.#room;
    const { lanes, perLane, logitRows } = step;
    const integers = this.#integers;
    integers[word(control)] = lanes * perLane;
    integers[word(control) + 1] = perLane;
    integers[word(control) + 2] = logitRows.length;
    integers.set(logitRows, word(asked));
    for (let lane = 0; lane < lanes; lane++) this.#writeLane(step, lane, cache.length(step.firstLane + lane));
    this.#writeLengths(step, cache);
    this.#writeStrips(step.firstLane, cache);
  }

  #writeLane(step: KernelStep, lane: number, cached: number): void {
    const { embeddings, perLane, depths, rotary } = step;
    const { hidden, counts } = this.#room;
    const { hiddenSize } = this.#config;
    this.#integers[word(counts) + lane] = step.counts[lane]!;
    for (let row = lane * perLane; row < (lane + 1) * perLane; row++) {
      const embedding = embeddings.subarray(row * hiddenSize, (row + 1) * hiddenSize);
      this.#floats.set(embedding, word(hidden.address + row * hidden.stride));
      this.#writeTurns(row, cached + depths[row]!, rotary);
      this.#writeSight(step, row);
    }
  }

  /** Cosines and sines of queries, then those of keys. */
  #writeTurns(row: number, position: number, { cos, sin, identity }: RotaryTables): void {
    const { address, stride } = this.#room.turns;
    const half = this.#config.headDim / 2;
    const [plain, scaled] = [position * half, (identity + 1 + position) * half];
    const at = word(address + row * stride);
    for (let i = 0; i < half; i++) {
      this.#floats[at + i] = cos[scaled + i]!;
      this.#floats[at + half + i] = sin[scaled + i]!;
      this.#floats[at + 2 * half + i] = cos[plain + i]!;
      this.#floats[at + 3 * half + i] = sin[plain + i]!;
    }
  }

  /** The ancestors of a row and itself, the eldest first. */
  #writeSight({ perLane, parents, depths }: KernelStep, row: number): void {
    const { sights, lists } = this.#room;
    const list = lists + 4 * mostRows * row;
    const seen = depths[row]! + 1;
    const first = row - (row % perLane);
    this.#integers[word(sights) + 2 * row] = seen;
    this.#integers[word(sights) + 2 * row + 1] = list;
    let at = row - first;
    for (let i = seen - 1; i >= 0; i--) {
      this.#integers[word(list) + i] = at;
      at = parents[first + at]!;
    }
  }

  #writeLengths({ firstLane, lanes }: KernelStep, cache: SlabLaneCache): void {
    const at = word(this.#room.lengths);
    for (let layer = 0; layer < this.#config.layers; layer++) {
      for (let lane = 0; lane < lanes; lane++) {
        this.#integers[at + layer * mostRows + lane] = cache.rows(firstLane + lane, layer);
      }
    }
  }

  /** They stay until rows move. */
  #writeStrips(firstLane: number, cache: SlabLaneCache): void {
    const { version } = cache;
    if (this.#strips.version === version && this.#strips.firstLane === firstLane) return;
    this.#strips = { version, firstLane };
    for (let layer = 0; layer < this.#config.layers; layer++) {
      const { keys, values, stride } = cache.strip(layer, firstLane);
      const strip = [this.#slabStart + keys, this.#slabStart + values, stride];
      this.#integers.set(strip, word(this.#room.strips) + layer * stripIntegers);
    }
  }
}

/** Four bytes each. */
const word = (address: number): number => address >> 2;
