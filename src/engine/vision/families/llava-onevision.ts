/**
 * LLaVA-OneVision: a whole view and, for an image that stands alone, tiles of a resolution that suits its shape
 * (arXiv 2408.03326, section 3.2). The rows of the tiles are put back into one grid, what was padding is taken
 * off, too large grids are scaled down, and a learned row ends each line.
 */

import type { VisionConfig } from '../../checkpoint/vision-config.js';
import type { Picture, Size } from '../picture.js';
import { crop, padToSquare } from '../picture.js';
import type { PreprocessorConfig } from '../preprocessor-config.js';
import { resample } from '../resample.js';
import type { FeatureGrid } from './feature-grid.js';
import { cutGrid, joinRows, joinTiles, scaleGrid, withNewlines } from './feature-grid.js';
import type { GroupLayout, ImageFamily, ImagePlan, View } from './image-family.js';

/** Below this factor a grid that is over its budget stays as it is. */
const leastReduction = 1.1;

interface Grid extends Size {
  /** First line and column that are no padding. */
  readonly top: number;
  readonly left: number;
  readonly scaled: Size | undefined;
}

export class LlavaOneVision implements ImageFamily {
  readonly mergesBefore = false;
  readonly #preprocessor: PreprocessorConfig;
  readonly #imageToken: string;
  readonly #newline: Float32Array;
  readonly #side: number;
  readonly #sizes: readonly Size[];
  readonly #maxTiles: number;

  constructor(
    vision: VisionConfig,
    preprocessor: PreprocessorConfig,
    imageToken: string,
    newline: Float32Array,
  ) {
    this.#preprocessor = preprocessor;
    this.#imageToken = imageToken;
    this.#newline = newline;
    this.#side = vision.tower.imageSize;
    this.#sizes = vision.anyResolution!.sizes.map(([height, width]) => ({ width, height }));
    this.#maxTiles = vision.anyResolution!.maxTiles;
  }

  plan(size: Size, { detail, alone, maxTiles = Number.POSITIVE_INFINITY }: View): ImagePlan {
    const side = { width: this.#side, height: this.#side };
    const sizes = this.#sizes.filter((of) => of.width * of.height <= maxTiles * this.#side ** 2);
    if (!alone || detail === 'low' || sizes.length === 0) {
      const key = alone ? 'whole' : 'square';
      return { kind: 'image', size, groups: 1, grid: { rows: 0, columns: 0 }, resized: side, key };
    }
    const target = bestResolution(size, sizes);
    const grid = { rows: target.height / this.#side, columns: target.width / this.#side };
    const resized = fitInside(size, target);
    const key = `tiled ${grid.rows} × ${grid.columns}`;
    return { kind: 'image', size, groups: 1 + grid.rows * grid.columns, grid, resized, key };
  }

  *tiles(picture: Picture, { grid, resized, key }: ImagePlan): Iterable<Picture> {
    const { filter, meanColor } = this.#preprocessor;
    const side = { width: this.#side, height: this.#side };
    yield resample(key === 'square' ? padToSquare(picture, meanColor) : picture, side, filter);
    if (grid.rows === 0) return;
    const target = { width: grid.columns * this.#side, height: grid.rows * this.#side };
    const fitted = resample(picture, resized, filter);
    const [left, top] = [
      Math.floor((target.width - fitted.width) / 2),
      Math.floor((target.height - fitted.height) / 2),
    ];
    for (let y = 0; y < target.height; y += this.#side) {
      for (let x = 0; x < target.width; x += this.#side) {
        yield crop(fitted, { x: x - left, y: y - top, ...side });
      }
    }
  }

  placeholder(plan: ImagePlan, layout: GroupLayout): string {
    return this.#imageToken.repeat(this.#rows(plan, layout));
  }

  /** Groups that have no grid any more follow each other, with one newline behind the last. */
  pack(rows: Float32Array, plan: ImagePlan, { tokens, side }: GroupLayout): Float32Array {
    const width = this.#newline.length;
    if (plan.grid.rows === 0 || side === undefined) return joinRows([rows, this.#newline]);
    const whole = rows.subarray(0, tokens * width);
    const tiles = joinTiles(rows.subarray(tokens * width), plan.grid, side, width);
    return joinRows([whole, withNewlines(this.#fit(tiles, this.#grid(plan, side)), this.#newline)]);
  }

  #fit(tiles: FeatureGrid, grid: Grid): FeatureGrid {
    const bare = cutGrid(tiles, { x: grid.left, y: grid.top, width: grid.width, height: grid.height });
    return grid.scaled === undefined ? bare : scaleGrid(bare, grid.scaled);
  }

  #rows(plan: ImagePlan, { tokens, side }: GroupLayout): number {
    if (plan.grid.rows === 0 || side === undefined) return plan.groups * tokens + 1;
    const { width, height, scaled } = this.#grid(plan, side);
    const size = scaled ?? { width, height };
    return tokens + size.height * (size.width + 1);
  }

  /** The patches of all tiles, `side` along each, without the padding around the image, as the reference rounds it. */
  #grid({ size, grid }: ImagePlan, side: number): Grid {
    const [columns, rows] = [grid.columns * side, grid.rows * side];
    const isWide = size.width / size.height > columns / rows;
    const height = isWide ? truncated(size.height * (columns / size.width)) : rows;
    const width = isWide ? columns : truncated(size.width * (rows / size.height));
    const [top, left] = [Math.floor((rows - height) / 2), Math.floor((columns - width) / 2)];
    const bare = { top, left, width: columns - 2 * left, height: rows - 2 * top };
    return { ...bare, scaled: this.#scaled(bare, side) };
  }

  #scaled({ width, height }: Size, side: number): Size | undefined {
    const ratio = Math.sqrt((height * width) / (this.#maxTiles * side ** 2));
    if (ratio <= leastReduction) return undefined;
    return { width: Math.floor(width / ratio), height: Math.floor(height / ratio) };
  }
}

/** Python's `int(round(value, 7))`. */
function truncated(value: number): number {
  return Math.trunc(Math.round(value * 1e7) / 1e7);
}

/** The size that keeps most of the image's pixels and, of those, wastes fewest; the first of equals. */
export function bestResolution({ width, height }: Size, sizes: readonly Size[]): Size {
  let best = sizes[0]!;
  let [mostKept, leastWasted] = [0, Number.POSITIVE_INFINITY];
  for (const size of sizes) {
    const scale = Math.min(size.width / width, size.height / height);
    const scaled = Math.trunc(width * scale) * Math.trunc(height * scale);
    const kept = Math.min(scaled, width * height);
    const wasted = size.width * size.height - kept;
    if (kept > mostKept || (kept === mostKept && wasted < leastWasted)) {
      [best, mostKept, leastWasted] = [size, kept, wasted];
    }
  }
  return best;
}

function fitInside({ width, height }: Size, target: Size): Size {
  const [across, down] = [target.width / width, target.height / height];
  if (across < down)
    return { width: target.width, height: Math.min(Math.ceil(height * across), target.height) };
  return { width: Math.min(Math.ceil(width * down), target.width), height: target.height };
}
