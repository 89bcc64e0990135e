/** How far a lane is filled, layer by layer. */

import { type Depth, depthAt, fitsIn } from './depth.js';
import type { PrunedPrompt } from './pruned-prompt.js';

export interface Lane {
  /** In tokens. */
  length: number;
  pruned: PrunedPrompt | undefined;
}

/** Rows that a layer has for the first `tokens` of a sequence. */
export function tokenRows(pruned: PrunedPrompt | undefined, layer: number, tokens: number): number {
  return pruned === undefined ? tokens : pruned.rows(layer, tokens);
}

export function rowsOf({ length, pruned }: Lane, layer: number): number {
  return tokenRows(pruned, layer, length);
}

export function hasRoom(lane: Lane, depth: Depth, layers: number): boolean {
  if (lane.pruned === undefined) return fitsIn(lane.length, depth);
  for (let layer = 0; layer < layers; layer++) {
    if (rowsOf(lane, layer) > depthAt(depth, layer)) return false;
  }
  return true;
}

/** The lane without the tokens at its end for which there is no room. */
export function cutTo(lane: Lane, depth: Depth, layers: number): Lane {
  let { length, pruned } = lane;
  while (!hasRoom({ length, pruned }, depth, layers)) {
    length--;
    pruned = prunedWithin(pruned, length);
  }
  return { length, pruned };
}

/** What is left of a pruned prompt when a lane is cut to `length` tokens. */
export function prunedWithin(pruned: PrunedPrompt | undefined, length: number): PrunedPrompt | undefined {
  let left = pruned;
  while (left !== undefined && length <= left.first) left = left.base;
  return left;
}
