/** What is learnt from each step: by the drafters, by the stores, and about drafting itself. */

import type { LogitRow } from '../logit-row.js';
import type { DraftNode } from './draft-node.js';
import type { DraftRows } from './draft-rows.js';
import type { Drafter } from './drafter.js';
import { rankRow } from './ranked-row.js';
import { RankingBudget } from './ranking-budget.js';
import type { LaneOutcome, StepPlan } from './step-plan.js';
import { ANY } from './trigram-store.js';

/** Weight of the past in how well drafts kept their promise, per lane and step. */
const MEMORY = 0.999;
/** Rows of a rejected draft that the stores still learn from. */
const MAX_REJECTED = 2;
const NOTHING: readonly DraftNode[] = [];

export class Lessons {
  readonly #ranking = new RankingBudget();
  /** Of the last step: plain steps that would have taken as long, and each lane's part of the drafting and of the step. */
  #plainSteps = 1;
  #laneDraftMs = 0;
  #laneMs = 0;
  /** Tokens of drafted steps, lately: as the tree had them, and as they came. */
  #predicted = 0;
  #realised = 0;

  /** Undefined before anything was drafted. */
  get predictedOverRealised(): number | undefined {
    return this.#realised === 0 ? undefined : this.#predicted / this.#realised;
  }

  /** A step of `ms` milliseconds, where a plain one would have taken `plainMs`; its lanes follow. */
  begin({ lanes, draftMs }: StepPlan, ms: number, plainMs: number): void {
    this.#ranking.step(ms);
    this.#plainSteps = (ms + draftMs) / plainMs;
    this.#laneDraftMs = draftMs / lanes.length;
    this.#laneMs = ms / lanes.length;
  }

  /** What one lane of that step gave; `logits` are those of its rows, if there are any. */
  learn(
    drafter: Drafter,
    rows: DraftRows,
    outcome: LaneOutcome,
    logits: ((row: number) => LogitRow) | undefined,
  ): void {
    const { committed } = outcome;
    const drafted = rows.nodes.length === 1 ? NOTHING : rows.nodes.filter((node) => node !== undefined);
    drafter.learn(drafted, committed, this.#plainSteps);
    if (drafted.length > 0 && !drafter.isFixed) this.#compare(drafted, committed.length);
    drafter.counters.noteTime(drafted.length, this.#laneDraftMs, this.#laneMs);
    if (logits !== undefined && drafter.wantsRanks) this.#rank(drafter, rows, outcome, logits);
  }

  #compare(drafted: readonly DraftNode[], tokens: number): void {
    const promised = drafted.reduce((sum, { reach }) => sum + reach, 1);
    this.#predicted = MEMORY * this.#predicted + promised;
    this.#realised = MEMORY * this.#realised + tokens;
  }

  #rank(
    drafter: Drafter,
    rows: DraftRows,
    { visited, before }: LaneOutcome,
    logits: (row: number) => LogitRow,
  ): void {
    const { affordable } = this.#ranking;
    if (affordable === 0) return;
    const last = visited.at(-1)!;
    for (const row of rankedRows(rows, visited, affordable)) {
      const parent = rows.parents[row]!;
      const a = parent < 0 ? (before ?? ANY) : rows.tokens[parent]!;
      const ranked = this.#ranking.time(() => rankRow(logits(row)));
      drafter.recycle(a, rows.tokens[row]!, ranked, row === last);
    }
  }
}

/** The newest row first, then the others that were visited, then rejected ones: their logits are as true. */
function rankedRows({ tokens }: DraftRows, visited: readonly number[], most: number): readonly number[] {
  if (tokens.length === 1) return visited;
  const rejected = tokens.flatMap((_, row) => (visited.includes(row) ? [] : [row])).slice(0, MAX_REJECTED);
  return [...visited.toReversed(), ...rejected].slice(0, most);
}
