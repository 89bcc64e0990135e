/** LLaVA-1.5 and its like: one view of the image, all rows of it in one run. */

import type { Picture, Size } from '../picture.js';
import { padToSquare } from '../picture.js';
import type { PreprocessorConfig } from '../preprocessor-config.js';
import type { Filter } from '../resample.js';
import { resample } from '../resample.js';
import type { GroupLayout, ImageFamily, ImagePlan } from './image-family.js';

export class Llava implements ImageFamily {
  readonly mergesBefore = true;
  readonly #config: PreprocessorConfig;
  readonly #imageToken: string;

  constructor(config: PreprocessorConfig, imageToken: string) {
    this.#config = config;
    this.#imageToken = imageToken;
  }

  plan(size: Size): ImagePlan {
    return {
      kind: 'image',
      size,
      groups: 1,
      grid: { rows: 0, columns: 0 },
      resized: this.#resized(size),
      key: 'whole',
    };
  }

  *tiles(picture: Picture): Iterable<Picture> {
    const { padToSquare: pads, meanColor, filter } = this.#config;
    const source = pads ? padToSquare(picture, meanColor) : picture;
    yield croppedResample(source, this.#resized(source), this.#config.centerCrop, filter);
  }

  placeholder(_: ImagePlan, { tokens }: GroupLayout): string {
    return this.#imageToken.repeat(tokens);
  }

  pack(rows: Float32Array): Float32Array {
    return rows;
  }

  #resized({ width, height }: Size): Size {
    const { resize } = this.#config;
    if (resize === undefined) return { width, height };
    if (resize.kind === 'exact') return resize;
    const [short, long] = [Math.min(width, height), Math.max(width, height)];
    const longer = Math.trunc((resize.side * long) / short);
    return width <= height ? { width: resize.side, height: longer } : { width: longer, height: resize.side };
  }
}

/** Only the part that the crop leaves is ever computed. */
function croppedResample(
  source: Picture,
  size: Size,
  centerCrop: PreprocessorConfig['centerCrop'],
  filter: Filter,
): Picture {
  if (centerCrop === undefined) return resample(source, size, filter);
  const x = Math.floor((size.width - centerCrop.width) / 2);
  const y = Math.floor((size.height - centerCrop.height) / 2);
  return resample(source, size, filter, { x, y, ...centerCrop });
}
