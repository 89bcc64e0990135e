/**
 * Videos for models that were trained on images only (TS-LLaVA, arXiv 2411.11066): a thumbnail of a few frames as one
 * view, for detail, and behind it rows sampled evenly from all frames. To the chat template it is an image.
 *
 *   frames ── a few of them ── 2 × 2 ── tower ── all rows ──┐
 *      └───── each ─────────────────── tower ── some rows ──┴── the rows of one image
 */

import { evenPlaces } from '../even-places.js';
import type { Picture, Size } from '../picture.js';
import { paste } from '../picture.js';
import type { Filter } from '../resample.js';
import { resample } from '../resample.js';
import { joinRows } from './feature-grid.js';
import type { GroupLayout, ImageFamily, ImagePlan, VideoFamily, VideoPlan } from './image-family.js';

/** Frames along a side of the thumbnail. */
const across = 2;
/** Sampled rows for each row of the thumbnail, as in the paper (2,880 for 576). */
const sampledShare = 5;
const wholeView = { detail: 'low', alone: true } as const;

export class ThumbnailVideo implements VideoFamily {
  readonly part = 'image';
  readonly #images: ImageFamily;
  readonly #filter: Filter;

  constructor(images: ImageFamily, filter: Filter) {
    this.#images = images;
    this.#filter = filter;
  }

  /** A single frame is its own thumbnail. */
  plan(frames: number): VideoPlan {
    return { kind: 'video', groups: frames === 1 ? 1 : frames + 1, key: 'thumbnail' };
  }

  tile(frame: Picture): Picture {
    const [tile] = this.#images.tiles(frame, this.#whole(frame));
    return tile!;
  }

  groups(tiles: readonly Picture[]): readonly Picture[] {
    return tiles.length === 1 ? tiles : [this.#thumbnail(tiles), ...tiles];
  }

  pooledSide(side: number): number {
    return side;
  }

  placeholder(plan: VideoPlan, { tokens }: GroupLayout): string {
    const rows = tokens + sampledRows(plan, tokens);
    return this.#images.placeholder(this.#whole({ width: 1, height: 1 }), { tokens: rows, side: undefined });
  }

  pack(rows: Float32Array, plan: VideoPlan, { tokens }: GroupLayout): Float32Array {
    const width = rows.length / (plan.groups * tokens);
    const row = (place: number) => rows.subarray(place * width, (place + 1) * width);
    const places = evenPlaces((plan.groups - 1) * tokens, sampledRows(plan, tokens));
    return joinRows([rows.subarray(0, tokens * width), ...places.map((place) => row(tokens + place))]);
  }

  #whole(size: Size): ImagePlan {
    return this.#images.plan(size, wholeView);
  }

  #thumbnail(tiles: readonly Picture[]): Picture {
    const { width, height } = tiles[0]!;
    const thumbnail = { width, height, data: new Uint8Array(width * height * 3) };
    const edge = (i: number, side: number) => Math.floor((i * side) / across);
    evenPlaces(tiles.length, across ** 2).forEach((frame, i) => {
      const [column, row] = [i % across, Math.floor(i / across)];
      const [x, y] = [edge(column, width), edge(row, height)];
      const cell = { width: edge(column + 1, width) - x, height: edge(row + 1, height) - y };
      paste(resample(tiles[frame]!, cell, this.#filter), thumbnail, x, y);
    });
    return thumbnail;
  }
}

function sampledRows({ groups }: VideoPlan, tokens: number): number {
  return Math.min(groups - 1, sampledShare) * tokens;
}
