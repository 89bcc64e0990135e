/** The attention of a layer as every thread runs it: rows turn, their segments are attended to, and joined. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { partialBytes, segmentTokens } from './attention.js';
import type { LayerWeights, StepRoom } from './decoder-layout.js';
import { mostRows, stripIntegers } from './decoder-layout.js';
import type { PassThread } from './pass-thread.js';

/** Neighbouring segments whose rows are fetched together: in shorter runs memory does not reach its speed. */
const fetchedSegments = 4;
/** With fewer rows it is quicker to wait for them. */
const fetchedRows = 32;

/** A layer of a step. */
export interface LayerStep {
  readonly layer: number;
  readonly rows: number;
  readonly perLane: number;
}

/** Neighbouring rows, and into how many segments what each sees is cut. */
interface SegmentedRows {
  readonly first: number;
  readonly segments: readonly number[];
}

/** One segment of one KV head of one row. */
interface Unit {
  readonly index: number;
  readonly row: number;
  readonly kvHead: number;
  readonly segment: number;
}

export class AttentionPass {
  readonly #config: DecoderConfig;
  readonly #room: StepRoom;
  readonly #thread: PassThread;
  readonly #headBytes: number;
  /** Query heads of a KV head. */
  readonly #group: number;

  constructor(config: DecoderConfig, room: StepRoom, thread: PassThread) {
    this.#config = config;
    this.#room = room;
    this.#thread = thread;
    this.#headBytes = 4 * config.headDim;
    this.#group = config.heads / config.kvHeads;
  }

  /** From `room.projected` to `room.mixed`, all of which is there when it returns. */
  run(weights: LayerWeights, step: LayerStep): void {
    this.#turnRows(weights, step);
    for (let first = 0; first < step.rows; ) {
      const rows = this.#segmented(step, first);
      this.#attendRows(step, rows);
      this.#thread.meet();
      this.#join(rows);
      first += rows.segments.length;
      if (first < step.rows) this.#thread.meet();
    }
  }

  /** Rotated queries, keys and values. */
  #turnRows(weights: LayerWeights, step: LayerStep): void {
    const [from, to] = this.#thread.rowShare(step.rows);
    for (let row = from; row < to; row++) {
      for (let kvHead = 0; kvHead < this.#config.kvHeads; kvHead++) this.#turn(weights, step, row, kvHead);
    }
    this.#thread.meetAbout(step.rows);
  }

  #turn({ queryNorm, keyNorm }: LayerWeights, step: LayerStep, row: number, kvHead: number): void {
    const { projected, queries, turns, newKeys, newValues } = this.#room;
    const keyAt = this.#group * this.#headBytes;
    const heads = projected.address + row * projected.stride + kvHead * (keyAt + 2 * this.#headBytes);
    const normed = this.#room.normedHeads[this.#thread.index]!;
    if (queryNorm !== undefined) this.#normalize(heads, normed, queryNorm, this.#group);
    if (keyNorm !== undefined) this.#normalize(heads + keyAt, normed + keyAt, keyNorm, 1);
    const place = this.#newRow(step, row, kvHead);
    this.#thread.kernels.rotary(
      queryNorm === undefined ? heads : normed,
      heads + keyAt + this.#headBytes,
      turns.address + row * turns.stride,
      queries.address + row * queries.stride + kvHead * keyAt,
      newKeys + place,
      newValues + place,
    );
  }

  #normalize(from: number, to: number, weight: number, heads: number): void {
    const bytes = this.#headBytes;
    this.#thread.kernels.rmsNorm(from, to, weight, bytes, heads, bytes, bytes);
  }

  /** As many rows from `first` on as there is room for what their segments leave. */
  #segmented(step: LayerStep, first: number): SegmentedRows {
    const segments: number[] = [];
    let sum = 0;
    for (let row = first; row < step.rows; row++) {
      const count = Math.ceil((this.#past(step, row) + this.#seen(row)) / segmentTokens);
      if (segments.length > 0 && sum + count > this.#room.mostSegments) break;
      segments.push(count);
      sum += count;
    }
    return { first, segments };
  }

  #attendRows(step: LayerStep, { first, segments }: SegmentedRows): void {
    const { kvHeads } = this.#config;
    const [from, to] = this.#thread.share(kvHeads * segments.reduce((sum, count) => sum + count, 0));
    let index = 0;
    segments.forEach((count, i) => {
      for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
        for (let segment = 0; segment < count; segment++, index++) {
          if (index < from || index >= to) continue;
          const unit = { index, row: first + i, kvHead, segment };
          const isRun = segment % fetchedSegments === 0 || index === from;
          if (isRun)
            this.#fetch(step, unit, Math.min(to - index, fetchedSegments - (segment % fetchedSegments)));
          this.#attend(step, unit);
        }
      }
    });
  }

  /** The cached rows of a run of segments. */
  #fetch(step: LayerStep, { row, kvHead, segment }: Unit, segments: number): void {
    const past = this.#past(step, row);
    const first = segment * segmentTokens;
    const rows = Math.min(past, first + segments * segmentTokens) - first;
    if (rows < fetchedRows) return;
    const { keys, values } = this.#cached(step, row, kvHead, first);
    const sink = this.#room.scores[this.#thread.index]!;
    for (const from of [keys, values]) this.#thread.kernels.fetch(from, from + rows * this.#headBytes, sink);
  }

  /** Addresses of a cached row. */
  #cached(step: LayerStep, row: number, kvHead: number, token: number): Record<'keys' | 'values', number> {
    const strip = (part: number): number =>
      this.#thread.integer(this.#room.strips, step.layer * stripIntegers + part);
    const lane = Math.floor(row / step.perLane);
    const place = strip(2) * (lane * this.#config.kvHeads + kvHead) + token * this.#headBytes;
    return { keys: strip(0) + place, values: strip(1) + place };
  }

  #attend(step: LayerStep, { index, row, kvHead, segment }: Unit): void {
    const { queries, newKeys, newValues, sights, scores } = this.#room;
    const past = this.#past(step, row);
    const [begin, end] = [segment * segmentTokens, (segment + 1) * segmentTokens];
    const [firstPast, firstNew] = [Math.min(begin, past), Math.max(begin - past, 0)];
    const lane = Math.floor(row / step.perLane);
    const cached = this.#cached(step, row, kvHead, firstPast);
    const fresh = this.#newRow(step, lane * step.perLane, kvHead);
    this.#thread.kernels.attend(
      queries.address + row * queries.stride + kvHead * this.#group * this.#headBytes,
      this.#partial(index),
      cached.keys,
      cached.values,
      Math.min(end, past) - firstPast,
      newKeys + fresh,
      newValues + fresh,
      this.#thread.integer(sights, 2 * row + 1) + 4 * firstNew,
      Math.max(0, Math.min(end - past, this.#seen(row)) - firstNew),
      scores[this.#thread.index]!,
    );
  }

  #join({ first, segments }: SegmentedRows): void {
    const { mixed } = this.#room;
    const { kvHeads } = this.#config;
    const [from, to] = this.#thread.rowShare(segments.length);
    let index = 0;
    segments.forEach((count, i) => {
      for (let kvHead = 0; kvHead < kvHeads; kvHead++, index += count) {
        if (i < from || i >= to) continue;
        const out = mixed.address + (first + i) * mixed.stride + kvHead * this.#group * this.#headBytes;
        this.#thread.kernels.join(this.#partial(index), count, out);
      }
    });
    this.#thread.meetAbout(segments.length);
  }

  #partial(index: number): number {
    return this.#room.partials + index * this.#group * partialBytes(this.#config.headDim);
  }

  /** Cached rows that a row sees. */
  #past({ layer, perLane }: LayerStep, row: number): number {
    return this.#thread.integer(this.#room.lengths, layer * mostRows + Math.floor(row / perLane));
  }

  /** New rows that a row sees. */
  #seen(row: number): number {
    return this.#thread.integer(this.#room.sights, 2 * row);
  }

  /** Bytes from the beginning of the new keys to that of a row. */
  #newRow({ layer, perLane }: LayerStep, row: number, kvHead: number): number {
    const lane = Math.floor(row / perLane);
    const place = (lane * this.#config.kvHeads + kvHead) * perLane + (row % perLane);
    return layer * this.#room.layerBytes + place * this.#headBytes;
  }
}
