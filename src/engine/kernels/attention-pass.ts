/**
 * The attention of a layer as every thread runs it: rows turn, their segments are attended to and joined, and their keys
 * and values go into the cache.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { AttentionPlaces, type LaneRows, type LayerStep } from './attention-places.js';
import type { LayerWeights, StepRoom } from './decoder-layout.js';
import type { PassThread } from './pass-thread.js';
import { SegmentPass } from './segment-pass.js';

export class AttentionPass {
  readonly #room: StepRoom;
  readonly #thread: PassThread;
  readonly #places: AttentionPlaces;
  readonly #segments: SegmentPass;

  constructor(config: DecoderConfig, room: StepRoom, thread: PassThread) {
    this.#room = room;
    this.#thread = thread;
    this.#places = new AttentionPlaces(config, room, thread);
    this.#segments = new SegmentPass(this.#places, room, thread);
  }

  /** From `room.projected` to `room.mixed`, all of which is there when it returns. */
  run(weights: LayerWeights, step: LayerStep): void {
    this.#turnRows(weights, step);
    for (let first = 0; first < step.rows; ) {
      const lanes = this.#lanes(step, first);
      this.#segments.run(step, lanes);
      this.#thread.meet();
      this.#join(step, lanes);
      const last = lanes.at(-1)!;
      first = last.first + last.count;
      if (first < step.rows) this.#thread.meet();
    }
  }

  /** Rotated queries, keys and values. */
  #turnRows(weights: LayerWeights, step: LayerStep): void {
    const [from, to] = this.#thread.rowShare(step.rows);
    for (let row = from; row < to; row++) {
      for (let kvHead = 0; kvHead < this.#places.kvHeads; kvHead++) this.#turn(weights, step, row, kvHead);
    }
    this.#thread.meetAbout(step.rows);
  }

  #turn({ queryNorm, keyNorm }: LayerWeights, step: LayerStep, row: number, kvHead: number): void {
    const { projected, turns, newKeys, newValues } = this.#room;
    const { group, headBytes } = this.#places;
    const keyAt = group * headBytes;
    const heads = projected.address + row * projected.stride + kvHead * (keyAt + 2 * headBytes);
    const normed = this.#room.normedHeads[this.#thread.index]!;
    if (queryNorm !== undefined) this.#normalize(heads, normed, queryNorm, group);
    if (keyNorm !== undefined) this.#normalize(heads + keyAt, normed + keyAt, keyNorm, 1);
    const place = this.#places.newRow(step, row, kvHead);
    this.#thread.kernels.rotary(
      queryNorm === undefined ? heads : normed,
      heads + keyAt + headBytes,
      turns.address + row * turns.stride,
      this.#places.queries(row, kvHead),
      newKeys + place,
      newValues + place,
    );
  }

  #normalize(from: number, to: number, weight: number, heads: number): void {
    const bytes = this.#places.headBytes;
    this.#thread.kernels.rmsNorm(from, to, weight, bytes, heads, bytes, bytes);
  }

  /** As many rows from `first` on as there is room for what their segments leave, lane by lane. */
  #lanes(step: LayerStep, first: number): LaneRows[] {
    const lanes: LaneRows[] = [];
    let partials = 0;
    for (let row = first; row < step.rows; ) {
      const inLane = step.perLane - (row % step.perLane);
      const segments = this.#mostSegments(step, row, inLane);
      const count = Math.min(inLane, Math.floor((this.#room.mostSegments - partials) / segments));
      if (count === 0) break;
      // Partial results of a row are as many for each KV head.
      lanes.push({ first: row, count, segments, partials: partials * this.#places.kvHeads });
      partials += count * segments;
      row += count;
      if (count < inLane) break;
    }
    return lanes;
  }

  #mostSegments(step: LayerStep, first: number, count: number): number {
    let most = 0;
    for (let row = first; row < first + count; row++) most = Math.max(most, this.#places.segments(step, row));
    return most;
  }

  #join(step: LayerStep, lanes: readonly LaneRows[]): void {
    const last = lanes.at(-1)!;
    const rows = last.first + last.count - lanes[0]!.first;
    const [from, to] = this.#thread.rowShare(rows).map((row) => lanes[0]!.first + row) as [number, number];
    for (const lane of lanes) {
      const end = Math.min(to, lane.first + lane.count);
      for (let row = Math.max(from, lane.first); row < end; row++) {
        this.#joinRow(step, lane, row);
        if (this.#places.isKept(step, row)) this.#keepRow(step, row);
      }
    }
    this.#thread.meetAbout(rows);
  }

  #joinRow(step: LayerStep, lane: LaneRows, row: number): void {
    const { mixed } = this.#room;
    const { kvHeads, group, headBytes } = this.#places;
    const segments = this.#places.segments(step, row);
    for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
      const out = mixed.address + row * mixed.stride + kvHead * group * headBytes;
      this.#thread.kernels.join(this.#places.partial(lane, row, kvHead, 0), segments, out);
    }
  }

  /** Nobody reads behind the end of a lane before the next step. */
  #keepRow(step: LayerStep, row: number): void {
    const { newKeys, newValues } = this.#room;
    const token = this.#places.past(step, row) + (row % step.perLane);
    for (let kvHead = 0; kvHead < this.#places.kvHeads; kvHead++) {
      const place = this.#places.newRow(step, row, kvHead);
      const { keys, values } = this.#places.cached(step, row, kvHead, token);
      this.#thread.kernels.keep(newKeys + place, newValues + place, keys, values);
    }
  }
}
