/**
 * Scales pictures exactly as Pillow does, which is what the reference preprocessing runs on: filters widened by
 * the scale when shrinking, weights in 22-bit fixed point, first along the rows, then along the columns, with
 * rounding to 8 bits after each. The kernels of libvips sit on other phases and differ by several levels.
 */

import type { Picture, Size, Window } from './picture.js';

/** By the numbers that `preprocessor_config.json` uses. */
export const filters = { 1: 'lanczos', 2: 'bilinear', 3: 'bicubic', 4: 'box', 5: 'hamming' } as const;
export type Filter = (typeof filters)[keyof typeof filters];

const precisionBits = 22;
const one = 2 ** precisionBits;
const half = one / 2;

interface Kernel {
  readonly support: number;
  weight(x: number): number;
}

const kernels: Readonly<Record<Filter, Kernel>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: { support: 1, weight: hamming },
  bicubic: { support: 2, weight: (x) => bicubic(Math.abs(x)) },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

function hamming(x: number): number {
  const distance = Math.abs(x);
  if (distance === 0) return 1;
  if (distance >= 1) return 0;
  return sinc(distance) * (0.54 + 0.46 * Math.cos(distance * Math.PI));
}

/** Keys' cubic with a = −0.5. */
function bicubic(x: number): number {
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** For each output position: the first input position, and how many follow with which weights. */
interface Taps {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  /** Weights per output position. */
  readonly stride: number;
}

/**
 * The picture at `size`, or only the part of that which lies in `window`: a strip of 1 × 5,000 pixels scaled to
 * 336 across would be 1.7 million pixels long.
 */
export function resample(picture: Picture, size: Size, filter: Filter, window = whole(size)): Picture {
  const across = size.width === picture.width && window.x === 0 && window.width === size.width;
  const down = size.height === picture.height && window.y === 0 && window.height === size.height;
  if (across && down) return picture;
  const rows = tapsFor(picture.height, size.height, window.y, window.height, kernels[filter]);
  const firstRow = down ? 0 : rows.first[0]!;
  const lastRow = down ? picture.height : rows.first[window.height - 1]! + rows.count[window.height - 1]!;
  const columns = tapsFor(picture.width, size.width, window.x, window.width, kernels[filter]);
  const narrow = across
    ? rowsOf(picture, firstRow, lastRow)
    : alongRows(picture, firstRow, lastRow, columns, window.width);
  return down ? narrow : alongColumns(narrow, firstRow, rows, window.height);
}

function whole({ width, height }: Size): Window {
  return { x: 0, y: 0, width, height };
}

function rowsOf({ width, data }: Picture, from: number, to: number): Picture {
  return { width, height: to - from, data: data.subarray(from * width * 3, to * width * 3) };
}

function tapsFor(inSize: number, outSize: number, from: number, length: number, kernel: Kernel): Taps {
  const scale = inSize / outSize;
  const filterScale = Math.max(1, scale);
  const support = kernel.support * filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const taps = {
    first: new Int32Array(length),
    count: new Int32Array(length),
    weights: new Int32Array(length * stride),
    stride,
  };
  for (let i = 0; i < length; i++) {
    const center = (from + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(inSize, Math.trunc(center + support + 0.5));
    taps.first[i] = first;
    taps.count[i] = last - first;
    fixedWeights(
      kernel,
      first - center + 0.5,
      1 / filterScale,
      taps.weights.subarray(i * stride, i * stride + last - first),
    );
  }
  return taps;
}

/** Weights of neighbouring inputs, the first of them `offset` from the centre, that sum to one. */
function fixedWeights(kernel: Kernel, offset: number, step: number, out: Int32Array): void {
  const raw = Array.from(out, (_, i) => kernel.weight((i + offset) * step));
  const sum = raw.reduce((total, weight) => total + weight, 0);
  raw.forEach((weight, i) => {
    const scaled = (sum === 0 ? weight : weight / sum) * one;
    out[i] = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  });
}

/**
 * The inner loops stay within 32-bit integers, which V8 keeps out of floating point: a weighted sum of levels is
 * below 255 · 2²² times the sum of the weights' sizes, at most 1.6.
 */
function alongRows(picture: Picture, fromRow: number, toRow: number, taps: Taps, width: number): Picture {
  const { data: source, width: line } = picture;
  const { first, count, weights, stride } = taps;
  const data = new Uint8Array((toRow - fromRow) * width * 3);
  let target = 0;
  for (let y = fromRow; y < toRow; y++) {
    for (let x = 0; x < width; x++, target += 3) {
      let red = half;
      let green = half;
      let blue = half;
      let from = (y * line + first[x]!) * 3;
      const end = x * stride + count[x]!;
      for (let tap = x * stride; tap < end; tap++, from += 3) {
        const weight = weights[tap]!;
        red = (red + Math.imul(source[from]!, weight)) | 0;
        green = (green + Math.imul(source[from + 1]!, weight)) | 0;
        blue = (blue + Math.imul(source[from + 2]!, weight)) | 0;
      }
      data[target] = clip8(red);
      data[target + 1] = clip8(green);
      data[target + 2] = clip8(blue);
    }
  }
  return { width, height: toRow - fromRow, data };
}

/** `picture` begins at row `firstRow` of the one that `taps` count in. Sums up whole lines, one tap after another. */
function alongColumns(
  { width, data: source }: Picture,
  firstRow: number,
  taps: Taps,
  height: number,
): Picture {
  const { first, count, weights, stride } = taps;
  const line = width * 3;
  const data = new Uint8Array(height * line);
  const sums = new Int32Array(line);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    let from = (first[y]! - firstRow) * line;
    const end = y * stride + count[y]!;
    for (let tap = y * stride; tap < end; tap++) {
      const weight = weights[tap]!;
      for (let i = 0; i < line; i++, from++) sums[i] = (sums[i]! + Math.imul(source[from]!, weight)) | 0;
    }
    for (let i = 0; i < line; i++) data[y * line + i] = clip8(sums[i]!);
  }
  return { width, height, data };
}

function clip8(fixed: number): number {
  const value = fixed >> precisionBits;
  return value < 0 ? 0 : Math.min(value, 255);
}
