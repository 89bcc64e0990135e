/** What the rows of a step see, and where attention finds and leaves things, as byte addresses. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { partialBytes, segmentTokens } from './attention-shape.js';
import { mostRows, type StepRoom, stripIntegers } from './decoder-layout.js';
import type { PassThread } from './pass-thread.js';

/** A layer of a step. */
export interface LayerStep {
  readonly layer: number;
  readonly rows: number;
  readonly perLane: number;
}

/** Neighbouring rows of one lane. */
export interface LaneRows {
  readonly first: number;
  readonly count: number;
  /** Into so many segments what they see is cut, at most. */
  readonly segments: number;
  /** Number of the first of their partial results, `[row, KV head, segment]`. */
  readonly partials: number;
}

export class AttentionPlaces {
  readonly kvHeads: number;
  /** Query heads of a KV head. */
  readonly group: number;
  readonly headBytes: number;
  readonly #partialBytes: number;
  readonly #room: StepRoom;
  readonly #thread: PassThread;

  constructor({ heads, kvHeads, headDim }: DecoderConfig, room: StepRoom, thread: PassThread) {
    this.kvHeads = kvHeads;
    this.group = heads / kvHeads;
    this.headBytes = 4 * headDim;
    this.#partialBytes = this.group * partialBytes(headDim);
    this.#room = room;
    this.#thread = thread;
  }

  /** Cached rows that a row sees. */
  past({ layer, perLane }: LayerStep, row: number): number {
    return this.#thread.integer(this.#room.lengths, layer * mostRows + Math.floor(row / perLane));
  }

  /** New rows that a row sees. */
  seen(row: number): number {
    return this.#thread.integer(this.#room.sights, 2 * row);
  }

  /** The list of their numbers in the lane. */
  sight(row: number): number {
    return this.#thread.integer(this.#room.sights, 2 * row + 1);
  }

  /** Whether the keys and values of a row go into the cache. */
  isKept({ perLane }: LayerStep, row: number): boolean {
    return row % perLane < this.#thread.integer(this.#room.counts, Math.floor(row / perLane));
  }

  segments(step: LayerStep, row: number): number {
    return Math.ceil((this.past(step, row) + this.seen(row)) / segmentTokens);
  }

  /** A cached row of the lane of a row. */
  cached(step: LayerStep, row: number, kvHead: number, token: number): Record<'keys' | 'values', number> {
    const thread = this.#thread;
    const strip = this.#room.strips + 4 * stripIntegers * step.layer;
    const lane = Math.floor(row / step.perLane);
    const place = thread.integer(strip, 2) * (lane * this.kvHeads + kvHead) + token * this.headBytes;
    return { keys: thread.integer(strip) + place, values: thread.integer(strip, 1) + place };
  }

  /** From the beginning of the new keys, or values, to that of a row. */
  newRow({ layer, perLane }: LayerStep, row: number, kvHead: number): number {
    const lane = Math.floor(row / perLane);
    const place = (lane * this.kvHeads + kvHead) * perLane + (row % perLane);
    return layer * this.#room.layerBytes + place * this.headBytes;
  }

  queries(row: number, kvHead: number): number {
    const { address, stride } = this.#room.queries;
    return address + row * stride + kvHead * this.group * this.headBytes;
  }

  partial({ first, segments, partials }: LaneRows, row: number, kvHead: number, segment: number): number {
    const number = partials + ((row - first) * this.kvHeads + kvHead) * segments + segment;
    return this.#room.partials + number * this.#partialBytes;
  }

  /** Between the partial results of neighbouring rows. */
  partialStride({ segments }: LaneRows): number {
    return this.kvHeads * segments * this.#partialBytes;
  }
}
