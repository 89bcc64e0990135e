/** A decoded image: 8 bits per channel, red, green and blue interleaved, rows from top to bottom. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Picture extends Size {
  /** `[height, width, 3]` */
  readonly data: Uint8Array;
}

/** A rectangle of whole pixels. */
export interface Window extends Size {
  readonly x: number;
  readonly y: number;
}

/** Part of a picture; what lies outside of it is `fill`. */
export function crop(picture: Picture, window: Window, fill: readonly number[] = [0, 0, 0]): Picture {
  const { width, height } = window;
  const data = filled(width * height, fill);
  const [left, right] = [Math.max(0, window.x), Math.min(picture.width, window.x + width)];
  const [top, bottom] = [Math.max(0, window.y), Math.min(picture.height, window.y + height)];
  for (let y = top; y < bottom && left < right; y++) {
    const from = (y * picture.width + left) * 3;
    const to = ((y - window.y) * width + left - window.x) * 3;
    data.set(picture.data.subarray(from, from + (right - left) * 3), to);
  }
  return { width, height, data };
}

/** One of `frames` pictures of the same size that stand one below the other; a view, not a copy. */
export function frameOf({ width, height, data }: Picture, frames: number, index: number): Picture {
  const size = data.length / frames;
  return { width, height: height / frames, data: data.subarray(index * size, (index + 1) * size) };
}

/** The picture in the middle of a square as long as its longer side. */
export function padToSquare(picture: Picture, fill: readonly number[]): Picture {
  const { width, height } = picture;
  if (width === height) return picture;
  const side = Math.max(width, height);
  const x = -Math.floor((side - width) / 2);
  const y = -Math.floor((side - height) / 2);
  return crop(picture, { x, y, width: side, height: side }, fill);
}

/** Copies `picture` into `target` with its upper left corner at `x`, `y`; it must fit. */
export function paste(picture: Picture, target: Picture, x: number, y: number): void {
  for (let row = 0; row < picture.height; row++) {
    const line = picture.data.subarray(row * picture.width * 3, (row + 1) * picture.width * 3);
    target.data.set(line, ((y + row) * target.width + x) * 3);
  }
}

function filled(pixels: number, fill: readonly number[]): Uint8Array {
  const data = new Uint8Array(pixels * 3);
  if (fill.every((value) => value === 0)) return data;
  for (let i = 0; i < data.length; i++) data[i] = fill[i % 3]!;
  return data;
}
