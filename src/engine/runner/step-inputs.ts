/**
 * What a step says about positions and visibility, as plain data for the graph. Sizes: b lanes, t new tokens per
 * lane, c capacity of the cache, g query heads per KV head.
 */

import type { Phase } from '../models/phase.js';
import { splitsHeads } from '../models/phase.js';
import type { RowTrees } from './runner.js';

/** Added to the score of a hidden key; its weight is exactly 0 after the softmax. */
const hidden = -1e30;

/** Where the new rows of a step stand: `[b, t]` each, see `RowTrees`. */
export interface RowPlaces {
  readonly parents: Int32Array;
  /** Ancestors among the new rows; the position of a row is the cached length plus its depth. */
  readonly depths: Int32Array;
}

/** By default every row follows the one before it. */
export function rowPlaces(lanes: number, rows: number, trees: RowTrees | undefined): RowPlaces {
  const parents = trees?.parents ?? chains(lanes, rows);
  const depths = new Int32Array(lanes * rows);
  for (let i = 0; i < parents.length; i++) {
    const parent = parents[i]!;
    depths[i] = parent < 0 ? 0 : depths[i - (i % rows) + parent]! + 1;
  }
  return { parents, depths };
}

function chains(lanes: number, rows: number): Int32Array {
  const parents = new Int32Array(lanes * rows);
  for (let i = 0; i < parents.length; i++) parents[i] = (i % rows) - 1;
  return parents;
}

/**
 * `[b, 1, t, c + t]`: each new row sees the cached tokens of its lane, its ancestors among the new rows and
 * itself, so it sees what its parent sees and one row more. `lengths` are the cached tokens per lane.
 */
export function visibilityMask(
  lengths: readonly number[],
  { parents }: RowPlaces,
  capacity: number,
  out: Float32Array,
): void {
  const rows = parents.length / lengths.length;
  const width = capacity + rows;
  lengths.forEach((length, lane) => {
    const first = lane * rows * width;
    for (let row = 0; row < rows; row++) {
      const start = first + row * width;
      const parent = parents[lane * rows + row]!;
      if (parent < 0) {
        out.fill(0, start, start + length);
        out.fill(hidden, start + length, start + width);
      } else {
        out.copyWithin(start, first + parent * width, first + (parent + 1) * width);
      }
      out[start + capacity + row] = 0;
    }
  });
}

/** The first sizes of everything that belongs to KV heads, which all graphs but those of prompts see as sequences. */
export function headSizes(phase: Phase, lanes: number, kvHeads: number): readonly [number, number] {
  return splitsHeads(phase) ? [lanes * kvHeads, 1] : [lanes, kvHeads];
}

/** Which rows of the rotary tables a graph uses. */
export interface RotaryRows {
  /** Turns nothing; for values. */
  readonly identity: number;
  /** Position 0 for queries; that of keys is row 0. */
  readonly firstQuery: number;
}

/**
 * `[n, (g + 2) · t]`: rows of the rotary tables for the query heads, the key and the value of each new token. With
 * n = b · h every lane comes h times, once for each KV head; with n = b once.
 */
export function rotaryPositions(
  lengths: readonly number[],
  { depths }: RowPlaces,
  group: number,
  { identity, firstQuery }: RotaryRows,
  out: BigInt64Array,
): void {
  // The low halves of little-endian 64-bit integers; positions never reach the high ones, which stay 0.
  const low = new Int32Array(out.buffer, out.byteOffset, out.length * 2);
  const rows = depths.length / lengths.length;
  const perLane = low.length / lengths.length;
  const perHead = 2 * (group + 2) * rows;
  lengths.forEach((length, lane) => {
    let i = lane * perLane;
    for (let head = 0; head <= group; head++) {
      const first = (head < group ? firstQuery : 0) + length;
      for (let row = 0; row < rows; row++, i += 2) low[i] = first + depths[lane * rows + row]!;
    }
    for (let row = 0; row < rows; row++, i += 2) low[i] = identity;
    for (; i < (lane + 1) * perLane; i += perHead) low.copyWithin(i, i - perHead, i);
  });
}

/** Query rows of a sequence up to which one product for each beats one for all of them (measured). */
const fewQueryRows = 9;

/** How a step divides the query rows of a sequence, `[r, s]`; see `attendApart`. */
export function queryDivision(queryRows: number): readonly [number, number] {
  return queryRows <= fewQueryRows ? [queryRows, 1] : [1, queryRows];
}
