/**
 * Averages the tokens of every group over the cells of a coarser grid. What is merged by likeness has no place any
 * more; this keeps places, for questions about coordinates.
 */

import type { VisualFeatures } from '../vision/visual-features.js';
import type { MergedFeatures } from './merge-groups.js';

/** Side of the grid that is left of one of `side` at a keep ratio: the largest whose cells are no more than asked. */
export function pooledSide(side: number, keep: number): number {
  return Math.max(1, Math.floor(Math.sqrt(Math.ceil(side * side * keep))));
}

/**
 * Groups of `side²` tokens to `target²` each, in the order of the image. Cells overlap by a token where sides do not
 * divide, as in adaptive average pooling: cell i of m covers the tokens ⌊i·n/m⌋ to ⌈(i+1)·n/m⌉ of n.
 */
export function poolGroups(visual: VisualFeatures, side: number, target: number): MergedFeatures {
  const { groups, tokensPerGroup, width } = visual;
  const left = target * target;
  const features = new Float32Array(groups * left * width);
  for (let group = 0; group < groups; group++) {
    const rows = visual.features.subarray(
      group * tokensPerGroup * width,
      (group + 1) * tokensPerGroup * width,
    );
    for (let cell = 0; cell < left; cell++) {
      const at = (group * left + cell) * width;
      averageCell(rows, side, target, cell, features.subarray(at, at + width));
    }
  }
  return {
    groups,
    tokensPerGroup: left,
    width,
    features,
    metric: undefined,
    memberOf: cells(groups, side, target),
  };
}

function averageCell(
  rows: Float32Array,
  side: number,
  target: number,
  cell: number,
  out: Float32Array,
): void {
  const [top, bottom] = covered(Math.floor(cell / target), side, target);
  const [first, end] = covered(cell % target, side, target);
  const count = (bottom - top) * (end - first);
  for (let y = top; y < bottom; y++) {
    for (let x = first; x < end; x++) {
      const from = (y * side + x) * out.length;
      for (let i = 0; i < out.length; i++) out[i]! += rows[from + i]! / count;
    }
  }
}

function covered(cell: number, side: number, target: number): [from: number, to: number] {
  return [Math.floor((cell * side) / target), Math.ceil(((cell + 1) * side) / target)];
}

/** `[groups, side²]`: the cell in which a token counts first. */
function cells(groups: number, side: number, target: number): Int32Array {
  const line = (place: number) => Math.floor(((place + 0.5) * target) / side);
  return Int32Array.from({ length: groups * side * side }, (_, i) => {
    const place = i % (side * side);
    return line(Math.floor(place / side)) * target + line(place % side);
  });
}
