/** What a step is about to do, and what came of it: the words in which drafting and the scheduler speak. */

import type { LogitRow } from '../logit-row.js';
import type { DraftRows } from './draft-rows.js';
import { plainRows } from './draft-rows.js';
import type { Drafter } from './drafter.js';

/** A decoding lane as the plan sees it. */
export interface DraftingLane {
  readonly drafter: Drafter | undefined;
  /** The last committed token. */
  readonly anchor: number;
  /** Cached tokens. */
  readonly cached: number;
  /** How many tokens it may still commit. */
  readonly tokensLeft: number;
}

export interface PlannedLane {
  readonly rows: DraftRows;
  readonly drafter: Drafter | undefined;
  /** Whether the drafter was asked; it need not have known anything. */
  readonly looked: boolean;
}

export interface StepPlan {
  /** Rows of the widest lane. */
  readonly rows: number;
  readonly lanes: readonly PlannedLane[];
  /** True if the width is there to be measured. */
  readonly isProbe: boolean;
  readonly draftMs: number;
  /** Cached tokens of the longest lane. */
  readonly context: number;
}

/** Logits of a row of one lane. */
export type RowLogits = (row: number) => LogitRow;

/** What came of a lane in a step. */
export interface LaneOutcome {
  /** Rows whose choice was taken. */
  readonly visited: readonly number[];
  /** Tokens that were committed. */
  readonly committed: readonly number[];
  /** The token before the anchor. */
  readonly before: number | undefined;
}

/** One token for each lane. */
export function plainPlan(lanes: readonly DraftingLane[], context: number): StepPlan {
  return { rows: 1, lanes: lanes.map(plainLane), isProbe: false, draftMs: 0, context };
}

export function plainLane({ anchor, drafter }: DraftingLane): PlannedLane {
  return { drafter, rows: plainRows(anchor), looked: false };
}
