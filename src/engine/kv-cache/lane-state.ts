/** How far a lane is filled, layer by layer, and what its tokens take along of a pruned prompt. */

import { type Depth, depthAt, fitsIn } from './depth.js';
import type { KvRows } from './lane-cache.js';
import { PrunedPrompt, type Waiting, waitingRows } from './pruned-prompt.js';

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

/** What goes with the tokens `[from, to)` of a lane when they are read; undefined if they cannot be read apart. */
export function prunedPart(
  pruned: PrunedPrompt | undefined,
  from: number,
  to: number,
): Pick<KvRows, 'pruned' | 'waiting'> | undefined {
  if (pruned === undefined) return {};
  const { first, waiting } = pruned;
  if (waiting !== undefined && waiting.tokens === undefined && from >= first) {
    return { waiting: { ...waiting, rows: [waitingRows(waiting, from - first, to - first)] } };
  }
  const whole = from === 0 ? prunedWithin(pruned, to) : undefined;
  if (whole !== undefined) return { pruned: whole };
  return from < pruned.length && to > pruned.start ? undefined : {};
}

/** The prompt of a lane behind which rows are appended, longer by them if they wait. */
export function withWaiting(
  { length, pruned }: Lane,
  waiting: Waiting | undefined,
  layers: number,
): PrunedPrompt | undefined {
  if (waiting === undefined) return pruned;
  const [first, base] = pruned?.waiting === undefined ? [length, pruned] : [pruned.first, pruned.base];
  const rows = [...(pruned?.waiting?.rows ?? []), ...waiting.rows];
  return PrunedPrompt.waitingBehind(first, layers, { ...waiting, rows }, base);
}
