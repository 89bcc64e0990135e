/**
 * A picture of what became of an image: tiles with their patches outlined by merge group, and paler the earlier
 * their token left the decoder.
 */

import type { Picture } from './picture.js';
import { paste } from './picture.js';
import type { ExplainedImage } from './vision.js';

/** Least side of a drawn tile, in pixels. */
const tileSide = 448;
const gap = 8;
/** How far towards white the first tokens to go fade. */
const fading = 0.82;
/** Of merged groups; a token that stands alone has a thin dark line. */
const lineWidth = 2;
const background = [255, 255, 255] as const;
const alone = [40, 40, 40] as const;

type Color = readonly [red: number, green: number, blue: number];

/** `staying[group][token]`: 1 for tokens that stayed longest, 0 for the first to go. */
export function drawTokens(image: ExplainedImage, staying: readonly (readonly number[])[]): Picture {
  const tiles = image.tiles.map((tile, group) => drawTile(tile, groupOf(image, group), staying[group]!));
  return arranged(tiles, image.columns);
}

/** The merged token of every place of the grid of one tile. */
function groupOf({ memberOf, tiles }: ExplainedImage, group: number): Int32Array {
  const size = memberOf.length / tiles.length;
  return memberOf.subarray(group * size, (group + 1) * size);
}

function drawTile(tile: Picture, memberOf: Int32Array, staying: readonly number[]): Picture {
  const side = Math.round(Math.sqrt(memberOf.length));
  const cell = Math.max(Math.ceil(tileSide / side), 3 * lineWidth);
  const width = cell * side;
  const colors = groupColors(memberOf);
  const tokenAt = (x: number, y: number) =>
    x < 0 || y < 0 || x >= side || y >= side ? -1 : memberOf[y * side + x]!;
  const data = new Uint8Array(width * width * 3);
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < width; x++) {
      const [column, row] = [Math.floor(x / cell), Math.floor(y / cell)];
      const token = tokenAt(column, row);
      const line = colors.get(token);
      const isEdge = onEdge(
        x % cell,
        y % cell,
        cell,
        line === undefined ? 1 : lineWidth,
        (dx, dy) => tokenAt(column + dx, row + dy) !== token,
      );
      const color = isEdge ? (line ?? alone) : pixelOf(tile, x / width, y / width);
      const strength = fading * (1 - staying[token]!);
      for (let c = 0; c < 3; c++) {
        data[(y * width + x) * 3 + c] = color[c]! + (background[c]! - color[c]!) * strength;
      }
    }
  }
  return { width, height: width, data };
}

/** Whether a pixel of a cell lies on a side beyond which another token begins. */
function onEdge(
  x: number,
  y: number,
  cell: number,
  width: number,
  differs: (dx: number, dy: number) => boolean,
): boolean {
  return (
    (x < width && differs(-1, 0)) ||
    (x >= cell - width && differs(1, 0)) ||
    (y < width && differs(0, -1)) ||
    (y >= cell - width && differs(0, 1))
  );
}

/** Nearest pixel at a place given in fractions of the tile. */
function pixelOf({ width, height, data }: Picture, x: number, y: number): Color {
  const at = (Math.floor(y * height) * width + Math.floor(x * width)) * 3;
  return [data[at]!, data[at + 1]!, data[at + 2]!];
}

/** Tokens that stand for several places, each in a hue far from that of the one before. */
function groupColors(memberOf: Int32Array): Map<number, Color> {
  const counts = new Map<number, number>();
  for (const token of memberOf) counts.set(token, (counts.get(token) ?? 0) + 1);
  const merged = [...counts].flatMap(([token, count]) => (count > 1 ? [token] : []));
  return new Map(merged.map((token, i) => [token, hue((i * 0.618034) % 1)]));
}

/** A vivid colour, `turn` in [0, 1) around the wheel. */
function hue(turn: number): Color {
  const channel = (shift: number) => {
    const place = Math.abs(((turn + shift) % 1) * 6 - 3) - 1;
    return Math.round(255 * Math.min(1, Math.max(0, place)));
  };
  return [channel(0), channel(2 / 3), channel(1 / 3)];
}

/** Tiles in lines of `columns`, on white. */
function arranged(tiles: readonly Picture[], columns: number): Picture {
  const side = tiles[0]!.width;
  const rows = Math.ceil(tiles.length / columns);
  const across = Math.min(columns, tiles.length);
  const [width, height] = [across * (side + gap) - gap, rows * (side + gap) - gap];
  const data = new Uint8Array(width * height * 3).fill(255);
  tiles.forEach((tile, i) => {
    const [left, top] = [(i % columns) * (side + gap), Math.floor(i / columns) * (side + gap)];
    paste(tile, { width, height, data }, left, top);
  });
  return { width, height, data };
}
