/** Rows of features that lie in a rectangle, like the patches that they come from. */

import type { Size, Window } from '../picture.js';
import type { VisualFeatures } from '../visual-features.js';

export interface FeatureGrid extends Size {
  /** `[height, width, channels]` */
  readonly data: Float32Array;
  readonly channels: number;
}

/** Tiles `[rows · columns, side, side, channels]` side by side. */
export function joinTiles(
  tiles: Float32Array,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  side: number,
  channels: number,
): FeatureGrid {
  const [width, height] = [columns * side, rows * side];
  const data = new Float32Array(tiles.length);
  const line = side * channels;
  for (let y = 0, at = 0; y < height; y++) {
    for (let column = 0; column < columns; column++, at += line) {
      const tile = Math.floor(y / side) * columns + column;
      const from = (tile * side + (y % side)) * line;
      data.set(tiles.subarray(from, from + line), at);
    }
  }
  return { width, height, channels, data };
}

export function cutGrid({ width, channels, data }: FeatureGrid, window: Window): FeatureGrid {
  const line = window.width * channels;
  const cut = new Float32Array(window.height * line);
  for (let y = 0; y < window.height; y++) {
    const from = ((window.y + y) * width + window.x) * channels;
    cut.set(data.subarray(from, from + line), y * line);
  }
  return { width: window.width, height: window.height, channels, data: cut };
}

/** Bilinear between the centres of cells, without widening when shrinking (`align_corners` off). */
export function scaleGrid(grid: FeatureGrid, size: Size): FeatureGrid {
  const { channels } = grid;
  const data = new Float32Array(size.width * size.height * channels);
  const columns = Array.from({ length: size.width }, (_, x) => neighbours(x, size.width, grid.width));
  for (let y = 0, at = 0; y < size.height; y++) {
    const row = neighbours(y, size.height, grid.height);
    for (const column of columns) {
      for (let channel = 0; channel < channels; channel++, at++) {
        const cell = (yAt: number, xAt: number) => grid.data[(yAt * grid.width + xAt) * channels + channel]!;
        const upper =
          (1 - column.share) * cell(row.first, column.first) + column.share * cell(row.first, column.second);
        const lower =
          (1 - column.share) * cell(row.second, column.first) +
          column.share * cell(row.second, column.second);
        data[at] = (1 - row.share) * upper + row.share * lower;
      }
    }
  }
  return { ...size, channels, data };
}

/** Square groups of rows `[groups, tokens, channels]`, each scaled to `side` × `side`. */
export function poolBilinear(
  { groups, tokensPerGroup, width: channels, features }: VisualFeatures,
  side: number,
): Float32Array {
  const inSide = Math.sqrt(tokensPerGroup);
  const size = features.length / groups;
  const pooled = Array.from({ length: groups }, (_, group) => {
    const data = features.subarray(group * size, (group + 1) * size);
    return scaleGrid({ width: inSide, height: inSide, channels, data }, { width: side, height: side }).data;
  });
  return joinRows(pooled);
}

/** The two cells around a position, and the share of the second. */
function neighbours(position: number, outSize: number, inSize: number) {
  const exact = Math.max(0, ((position + 0.5) * inSize) / outSize - 0.5);
  const first = Math.min(Math.floor(exact), inSize - 1);
  return { first, second: Math.min(first + 1, inSize - 1), share: exact - first };
}

/** Rows one behind the other. */
export function joinRows(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Each line with the newline behind it, `[height · (width + 1), channels]`. */
export function withNewlines(
  { width, height, channels, data }: FeatureGrid,
  newline: Float32Array,
): Float32Array {
  const line = width * channels;
  const all = new Float32Array(height * (line + channels));
  for (let y = 0; y < height; y++) {
    all.set(data.subarray(y * line, (y + 1) * line), y * (line + channels));
    all.set(newline, y * (line + channels) + line);
  }
  return all;
}
