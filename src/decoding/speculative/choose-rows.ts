/**
 * How much to draft: the number of rows per lane that gives the most tokens per millisecond over all lanes that
 * share the step. A lane that drafts less than the widest one is padded, so its rows cost either way.
 */

import type { Draft } from './drafter.js';

export interface RowLimits {
  /** Most rows per lane that the step may have. */
  readonly maxRows: number;
  /** Drafted nodes that each tree may have at most. */
  readonly maxNodes: readonly number[];
  /** Lanes in the step that do not draft. */
  readonly plainLanes: number;
  /** Milliseconds of a step with so many rows per lane, drafting included. */
  ms(rows: number): number;
}

/** Drafting must promise so much more than a plain step. */
export const MARGIN = 1.03;
/** Looks so far past the best size, since costs rise in steps. */
const LOOK_AHEAD = 10;

/** Rows per lane, the anchor included; 1 is a plain step. Grows the trees as far as it needs to see. */
export function chooseRows(trees: readonly Draft[], limits: RowLimits, margin = MARGIN): number {
  let expected = trees.length + limits.plainLanes;
  let best = 1;
  let bestSpeed = (margin * expected) / limits.ms(1);
  for (let rows = 2; mayPay(trees, limits, rows, best, expected, bestSpeed); rows++) {
    expected += growAll(trees, rows - 1, limits.maxNodes);
    const speed = expected / limits.ms(rows);
    if (speed <= bestSpeed) continue;
    best = rows;
    bestSpeed = speed;
  }
  return best;
}

/** Nodes yet to come are no likelier than the next ones; if even that cannot beat the best, nothing will. */
function mayPay(
  trees: readonly Draft[],
  limits: RowLimits,
  rows: number,
  best: number,
  expected: number,
  bestSpeed: number,
): boolean {
  const last = Math.min(limits.maxRows, best + LOOK_AHEAD);
  const gain = nextGain(trees, rows - 1, limits.maxNodes);
  for (let ahead = rows; gain > 0 && ahead <= last; ahead++) {
    if ((expected + (ahead - rows + 1) * gain) / limits.ms(ahead) > bestSpeed) return true;
  }
  return false;
}

/** The most that node number `size` can add to the expected tokens. */
function nextGain(trees: readonly Draft[], size: number, maxNodes: readonly number[]): number {
  let gain = 0;
  for (let i = 0; i < trees.length; i++) if (size <= maxNodes[i]!) gain += trees[i]!.nextReach;
  return gain;
}

/** What node number `size` adds to the expected tokens. */
function growAll(trees: readonly Draft[], size: number, maxNodes: readonly number[]): number {
  let gain = 0;
  for (let i = 0; i < trees.length; i++) {
    const tree = trees[i]!;
    if (size <= maxNodes[i]! && tree.grow()) gain += tree.nodes.at(-1)!.reach;
  }
  return gain;
}
