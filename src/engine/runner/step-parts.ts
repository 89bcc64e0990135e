/** A forward of more rows than a step of kernels takes, as several of them. */

import type { ForwardRequest } from './runner.js';

/** A forward of neighbouring lanes of another one, or of some rows of one of its lanes. */
export interface StepPart {
  readonly request: ForwardRequest;
  /** Its first row in the whole. */
  readonly firstRow: number;
  /** Which of the logits of the whole are those of the part, in order. */
  readonly logitIndices: readonly number[];
}

/** In an order in which no row comes before one that it sees. Rows of a lane with a tree stay together. */
export function* partsOf(whole: ForwardRequest, mostRows: number): Generator<StepPart> {
  const { lanes, rows } = whole;
  const together = Math.floor(mostRows / rows);
  if (together > 0) {
    for (let lane = 0; lane < lanes; lane += together) {
      yield partOf(whole, lane, Math.min(together, lanes - lane), 0, rows);
    }
    return;
  }
  for (let lane = 0; lane < lanes; lane++) {
    for (let row = 0; row < rows; row += mostRows) {
      yield partOf(whole, lane, 1, row, Math.min(mostRows, rows - row));
    }
  }
}

function partOf(whole: ForwardRequest, lane: number, lanes: number, row: number, rows: number): StepPart {
  const { firstLane, tokenIds, logitRows, trees } = whole;
  const firstRow = lane * whole.rows + row;
  const endRow = firstRow + lanes * rows;
  const logitIndices = [...logitRows.keys()].filter(
    (i) => logitRows[i]! >= firstRow && logitRows[i]! < endRow,
  );
  const request = {
    firstLane: firstLane + lane,
    lanes,
    rows,
    tokenIds: tokenIds.subarray(firstRow, endRow),
    logitRows: Int32Array.from(logitIndices, (i) => logitRows[i]! - firstRow),
    ...(trees !== undefined && {
      trees: {
        counts: trees.counts.subarray(lane, lane + lanes),
        parents: trees.parents.subarray(firstRow, endRow),
      },
    }),
  };
  return { request, firstRow, logitIndices };
}
