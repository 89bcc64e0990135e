/**
 * Videos of LLaVA-OneVision: every frame is one square view, its rows are pooled to half the side (bilinear), and one
 * learned row stands behind the last frame (arXiv 2408.03326, section 3.2).
 */

import type { Picture } from '../picture.js';
import type { Filter } from '../resample.js';
import { resample } from '../resample.js';
import { joinRows } from './feature-grid.js';
import type { GroupLayout, VideoFamily, VideoPlan } from './image-family.js';

export class OneVisionVideo implements VideoFamily {
  readonly part = 'video';
  readonly #side: number;
  readonly #filter: Filter;
  readonly #videoToken: string;
  readonly #newline: Float32Array;

  constructor(side: number, filter: Filter, videoToken: string, newline: Float32Array) {
    this.#side = side;
    this.#filter = filter;
    this.#videoToken = videoToken;
    this.#newline = newline;
  }

  plan(frames: number): VideoPlan {
    return { kind: 'video', groups: frames, key: 'frames' };
  }

  tile(frame: Picture): Picture {
    return resample(frame, { width: this.#side, height: this.#side }, this.#filter);
  }

  groups(tiles: readonly Picture[]): readonly Picture[] {
    return tiles;
  }

  pooledSide(side: number): number {
    return Math.ceil(side / 2);
  }

  placeholder({ groups }: VideoPlan, { tokens }: GroupLayout): string {
    return this.#videoToken.repeat(groups * tokens + 1);
  }

  pack(rows: Float32Array): Float32Array {
    return joinRows([rows, this.#newline]);
  }
}
