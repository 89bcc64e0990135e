/** What drafts for one sequence: asked before a step, told afterwards what became of it. */

import type { DraftCounters } from './draft-counters.js';
import type { DraftNode } from './draft-node.js';
import type { RankedRow } from './draft-source.js';

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
  /** True while drafts are given up for a time. */
  readonly isSuspended: boolean;
  /** True if it makes use of the model's rankings. */
  readonly wantsRanks: boolean;
  readonly prediction: PredictionUse;
  /** What may come next; `tokensLeft` is how many tokens the sequence may still commit. */
  draft(tokensLeft: number): Draft;
  /**
   * After a step that took as long as `plainSteps` plain ones: `drafted` are the nodes of the last draft that were
   * verified, `committed` the tokens that came.
   */
  learn(drafted: readonly DraftNode[], committed: readonly number[], plainSteps: number): void;
  /** The likeliest tokens after the pair `(a, b)`, as the model ranked them; `isLast` if the newest token was chosen from it. */
  recycle(a: number, b: number, row: RankedRow, isLast: boolean): void;
  /** The sequence ended by itself: its answer may become history. */
  finish(): void;
}
