/**
 * The segments of what rows see, shared among threads: first those that lie whole in the cache, each of them for all
 * rows of a lane together, then those that hold new rows, row by row.
 */

import type { AttentionPlaces, LaneRows, LayerStep } from './attention-places.js';
import { segmentTokens } from './attention-shape.js';
import type { StepRoom } from './decoder-layout.js';
import type { PassThread } from './pass-thread.js';

/** Tokens whose keys and values are fetched together: in shorter runs memory does not reach its speed. */
const fetchedTokens = 4 * segmentTokens;
/** It is quicker to wait for fewer. */
const fewTokens = 32;

/** A KV head of neighbouring rows. */
interface HeadRows {
  readonly lane: LaneRows;
  readonly kvHead: number;
}

export class SegmentPass {
  readonly #places: AttentionPlaces;
  readonly #room: StepRoom;
  readonly #thread: PassThread;

  constructor(places: AttentionPlaces, room: StepRoom, thread: PassThread) {
    this.#places = places;
    this.#room = room;
    this.#thread = thread;
  }

  /** Partial results of the share of this thread. */
  run(step: LayerStep, lanes: readonly LaneRows[]): void {
    const { kvHeads } = this.#places;
    const counts = lanes.map((lane) => this.#units(step, lane));
    const [from, to] = this.#thread.share(kvHeads * counts.reduce((sum, count) => sum + count, 0));
    let index = 0;
    for (const [i, lane] of lanes.entries()) {
      for (let kvHead = 0; kvHead < kvHeads; kvHead++, index += counts[i]!) {
        if (index + counts[i]! > from && index < to)
          this.#attendHead(step, { lane, kvHead }, from - index, to - index);
      }
    }
  }

  /** Segments of all rows. */
  #units(step: LayerStep, { first, count }: LaneRows): number {
    let units = 0;
    for (let row = first; row < first + count; row++) units += this.#places.segments(step, row);
    return units;
  }

  /** Of the segments of the rows, one behind another, those from the `from`th up to the `to`th. */
  #attendHead(step: LayerStep, head: HeadRows, from: number, to: number): void {
    const { first, count, segments } = head.lane;
    const past = this.#places.past(step, first);
    const whole = Math.floor(past / segmentTokens);
    const reach = Math.min(past, to < whole * count ? Math.ceil(to / count) * segmentTokens : past);
    let fetched = 0;
    let index = 0;
    const attend = (segment: number, firstRow: number, rows: number): void => {
      const [begin, end] = [Math.max(0, from - index), Math.min(rows, to - index)];
      index += rows;
      if (begin >= end) return;
      if (segment * segmentTokens >= fetched) fetched = this.#fetch(step, head, segment, reach);
      this.#attend(step, head, segment, firstRow + begin, end - begin);
    };
    for (let segment = 0; segment < whole; segment++) attend(segment, first, count);
    for (let segment = whole; segment < segments; segment++) {
      for (let row = first; row < first + count; row++) {
        if (segment < this.#places.segments(step, row)) attend(segment, row, 1);
      }
    }
  }

  /** The cached rows of a run of segments, at most up to `reach`; returns where the run ends. */
  #fetch(step: LayerStep, { lane, kvHead }: HeadRows, segment: number, reach: number): number {
    const from = segment * segmentTokens;
    const end = (Math.floor(from / fetchedTokens) + 1) * fetchedTokens;
    const bytes = (Math.min(reach, end) - from) * this.#places.headBytes;
    if (bytes < fewTokens * this.#places.headBytes) return end;
    const { keys, values } = this.#places.cached(step, lane.first, kvHead, from);
    const sink = this.#room.scores[this.#thread.index]!;
    for (const address of [keys, values]) this.#thread.kernels.fetch(address, address + bytes, sink);
    return end;
  }

  #attend(step: LayerStep, { lane, kvHead }: HeadRows, segment: number, row: number, rows: number): void {
    const places = this.#places;
    const past = places.past(step, row);
    const [begin, end] = [segment * segmentTokens, (segment + 1) * segmentTokens];
    const [firstPast, firstNew] = [Math.min(begin, past), Math.max(begin - past, 0)];
    const cached = places.cached(step, row, kvHead, firstPast);
    const fresh = places.newRow(step, row - (row % step.perLane), kvHead);
    this.#thread.kernels.attend(
      places.queries(row, kvHead),
      places.partial(lane, row, kvHead, segment),
      cached.keys,
      cached.values,
      Math.min(end, past) - firstPast,
      this.#room.newKeys + fresh,
      this.#room.newValues + fresh,
      places.sight(row) + 4 * firstNew,
      Math.max(0, Math.min(end - past, places.seen(row)) - firstNew),
      this.#room.scores[this.#thread.index]!,
      rows,
      this.#room.queries.stride,
      places.partialStride(lane),
    );
  }
}
