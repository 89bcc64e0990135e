/** What drafts for one sequence: asked before a step, told afterwards what became of it. */

import type { DraftCounters } from './draft-counters.js';
import type { DraftNode } from './draft-node.js';
import type { RankedRow } from './draft-source.js';
import type { LookingPace } from './looking-pace.js';

/** A draft that can be cut to the size that pays: its first k nodes are the best k of them, parents first. */
export interface Draft {
  readonly nodes: readonly DraftNode[];
  /** Chance to reach the node that would be added next, 0 if there is none; no later one is above it. */
  readonly nextReach: number;
  /** Adds the likeliest node; false if there is none. */
  grow(): boolean;
}

export interface PredictionUse {
  /** Positions of the caller's guess that were accepted. */
  readonly accepted: number;
  /** Positions that were tried and never accepted. */
  readonly rejected: number;
}

export interface Drafter {
  readonly counters: DraftCounters;
  /** Most drafted tokens in the next step. */
  readonly maxNodes: number;
  /** True if drafts are verified whole, whatever that costs. */
  readonly isFixed: boolean;
  /** Whether it looks for drafts, if that is to be decided; a published method always does. */
  readonly pace: LookingPace | undefined;
  /** True if it makes use of the model's rankings. */
  readonly wantsRanks: boolean;
  readonly prediction: PredictionUse;
  /** What may come next; `tokensLeft` is how many tokens the sequence may still commit. */
  draft(tokensLeft: number): Draft;
  /**
   * After a step that looked: `drafted` are the nodes that were verified, `committed` the tokens that came. True if the
   * first of them was the likeliest of what was found, drafted or not.
   */
  learn(drafted: readonly DraftNode[], committed: readonly number[]): boolean;
  /** The likeliest tokens after the pair `(a, b)`, as the model ranked them; `isLast` if the newest token was chosen from it. */
  recycle(a: number, b: number, row: RankedRow, isLast: boolean): void;
  /** The sequence ended by itself: its answer may become history. */
  finish(): void;
}
