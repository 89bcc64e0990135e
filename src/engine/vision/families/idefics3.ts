/** SmolVLM and Idefics3: tiles with tags for their place, then the whole view (arXiv 2408.12637, section 2). */

import type { Picture, Size } from '../picture.js';
import { crop } from '../picture.js';
import type { PreprocessorConfig } from '../preprocessor-config.js';
import { resample } from '../resample.js';
import type { GroupLayout, ImageFamily, ImagePlan, View } from './image-family.js';

/** No image is scaled beyond this, whatever the configuration says. */
const longestSide = 4096;

const fence = '<fake_token_around_image>';
const globalTag = '<global-img>';

export class Idefics3 implements ImageFamily {
  readonly mergesBefore = false;
  readonly #config: PreprocessorConfig;
  readonly #imageToken: string;
  readonly #side: number;

  constructor(config: PreprocessorConfig, imageToken: string, side: number) {
    this.#config = config;
    this.#imageToken = imageToken;
    this.#side = side;
  }

  plan(size: Size, { detail, maxTiles = Number.POSITIVE_INFINITY }: View): ImagePlan {
    const mayTile = this.#config.splitsImages && detail !== 'low' && maxTiles > 0;
    const tiled = mayTile ? this.#edges().map((edge) => this.#tiled(size, edge)) : [];
    const plan = tiled.find(({ groups }) => groups - 1 <= maxTiles);
    return plan ?? this.#plan(size, this.#scaled(size), { rows: 0, columns: 0 }, 'whole');
  }

  /** The whole view is scaled from the canvas of the tiles, rounding included, as the reference does. */
  *tiles(picture: Picture, { grid, resized, key }: ImagePlan): Iterable<Picture> {
    const { filter } = this.#config;
    const side = { width: this.#side, height: this.#side };
    const scaled = resample(picture, resized, filter);
    const canvas = key === 'whole' ? scaled : resample(scaled, this.#canvas(scaled), filter);
    if (grid.rows > 0) {
      for (let y = 0; y < canvas.height; y += this.#side) {
        for (let x = 0; x < canvas.width; x += this.#side) yield crop(canvas, { x, y, ...side });
      }
    }
    yield resample(canvas, side, filter);
  }

  placeholder({ grid }: ImagePlan, { tokens }: GroupLayout): string {
    const image = this.#imageToken.repeat(tokens);
    const whole = `${fence}${globalTag}${image}${fence}`;
    if (grid.rows === 0) return whole;
    const row = (y: number) =>
      Array.from({ length: grid.columns }, (_, x) => `${fence}<row_${y + 1}_col_${x + 1}>${image}`).join('');
    return `${Array.from({ length: grid.rows }, (_, y) => `${row(y)}\n`).join('')}\n${whole}`;
  }

  pack(rows: Float32Array): Float32Array {
    return rows;
  }

  /** Lengths of the longer side to choose from: the configured one, then fewer and fewer tiles along it. */
  #edges(): (number | undefined)[] {
    const { resize } = this.#config;
    if (resize?.kind !== 'longest') return [undefined];
    const tiles = Math.ceil(resize.side / this.#side) - 1;
    const fewer = Array.from({ length: Math.max(0, tiles - 1) }, (_, i) => (tiles - i) * this.#side);
    return [resize.side, ...fewer];
  }

  #tiled(size: Size, edge: number | undefined): ImagePlan {
    const resized = this.#scaled(size, edge);
    const { width, height } = this.#canvas(resized);
    const isSmall = width <= this.#side && height <= this.#side;
    const grid = { rows: height / this.#side, columns: width / this.#side };
    return this.#plan(
      size,
      resized,
      isSmall ? { rows: 0, columns: 0 } : grid,
      `tiled ${resized.width} × ${resized.height}`,
    );
  }

  #plan(size: Size, resized: Size, grid: ImagePlan['grid'], key: string): ImagePlan {
    return { kind: 'image', size, groups: grid.rows * grid.columns + 1, grid, resized, key };
  }

  /** The longer side as asked, the other one even, both at least 1. */
  #scaled({ width, height }: Size, edge?: number): Size {
    const { resize } = this.#config;
    if (resize === undefined) return { width, height };
    if (resize.kind === 'exact') return resize;
    const side = edge ?? resize.side;
    const ratio = width / height;
    const even = (value: number) => Math.trunc(value) + (Math.trunc(value) % 2);
    const scaled =
      width >= height
        ? { width: side, height: Math.max(1, even(side / ratio)) }
        : { width: Math.max(1, even(side * ratio)), height: side };
    return below(scaled, longestSide);
  }

  /** Both sides rounded up to whole tiles, the shorter one after it has followed the longer one. */
  #canvas({ width, height }: Size): Size {
    const ratio = width / height;
    const tiled = (value: number) => Math.ceil(value / this.#side) * this.#side;
    if (width >= height) return { width: tiled(width), height: tiled(Math.trunc(tiled(width) / ratio)) };
    return { width: tiled(Math.trunc(tiled(height) * ratio)), height: tiled(height) };
  }
}

function below({ width, height }: Size, limit: number): Size {
  const ratio = width / height;
  if (width >= height && width > limit)
    return { width: limit, height: Math.max(1, Math.trunc(limit / ratio)) };
  if (height > width && height > limit)
    return { width: Math.max(1, Math.trunc(limit * ratio)), height: limit };
  return { width, height };
}
