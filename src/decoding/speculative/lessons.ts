/** What is learnt from each step: by the drafters, by the stores, and about drafting itself. */

import type { DraftNode } from './draft-node.js';
import type { DraftRows } from './draft-rows.js';
import type { Drafter } from './drafter.js';
import { rankRow } from './ranked-row.js';
import { RankingBudget } from './ranking-budget.js';
import type { LaneOutcome, PlannedLane, RowLogits, StepPlan } from './step-plan.js';
import { ANY } from './trigram-store.js';

/** Weight of the past in how well drafts kept their promise, per lane and step. */
const MEMORY = 0.999;
/** Rows of a rejected draft that the stores still learn from. */
const MAX_REJECTED = 2;
/** A lane's part of a step takes longer in any model; looking is not measured by less. */
const SHORTEST_MS = 0.25;
const NOTHING: readonly DraftNode[] = [];

/** What of the last step falls to one lane. */
interface LaneShares {
  /** Milliseconds of the step itself. */
  readonly stepMs: number;
  /** Milliseconds of looking, for a lane that looked. */
  readonly lookMs: number;
  /** Milliseconds of a plain step. */
  readonly plainMs: number;
  /** Plain steps that the further rows took, for a lane that drafted. */
  readonly rowSteps: number;
}

const noShares: LaneShares = { stepMs: 0, lookMs: 0, plainMs: 1, rowSteps: 0 };

export class Lessons {
  readonly #ranking = new RankingBudget();
  #shares = noShares;
  /** Tokens of drafted steps, lately: as the tree had them, and as they came. */
  #predicted = 0;
  #realised = 0;

  /** Undefined before anything was drafted. */
  get predictedOverRealised(): number | undefined {
    return this.#realised === 0 ? undefined : this.#predicted / this.#realised;
  }

  /**
   * A step of `ms` milliseconds, whose lanes follow. Steps of its kind take as long as `plainSteps` plain ones of
   * `plainMs` each; a single one may have been held up.
   */
  begin({ lanes, draftMs, isProbe }: StepPlan, ms: number, plainMs: number, plainSteps: number): void {
    this.#ranking.step(ms);
    const looked = lanes.filter((lane) => lane.looked).length;
    const drafted = lanes.filter((lane) => lane.rows.tokens.length > 1).length;
    this.#shares = {
      stepMs: ms / lanes.length,
      lookMs: draftMs / Math.max(1, looked),
      plainMs: Math.max(plainMs / lanes.length, SHORTEST_MS),
      rowSteps: isProbe ? 0 : ((plainSteps - 1) * lanes.length) / Math.max(1, drafted),
    };
  }

  /** What one lane of that step gave; `logits` are those of its rows, if there are any. */
  learn({ drafter, rows, looked }: PlannedLane, outcome: LaneOutcome, logits: RowLogits | undefined): void {
    if (drafter === undefined) return;
    if (looked) this.#learnFrom(drafter, rows, outcome, logits);
    else {
      drafter.counters.note(NOTHING, NOTHING, outcome.committed.length);
      drafter.pace?.skip();
    }
  }

  #learnFrom(drafter: Drafter, rows: DraftRows, outcome: LaneOutcome, logits: RowLogits | undefined): void {
    const startedAt = performance.now();
    const { stepMs, lookMs, plainMs, rowSteps } = this.#shares;
    const { committed } = outcome;
    const drafted = rows.nodes.length === 1 ? NOTHING : rows.nodes.filter((node) => node !== undefined);
    const wasRight = drafter.learn(drafted, committed);
    if (drafted.length > 0 && !drafter.isFixed) this.#compare(drafted, committed.length);
    drafter.counters.noteTime(drafted.length, lookMs, stepMs);
    if (logits !== undefined && drafter.wantsRanks) this.#rank(drafter, rows, outcome, logits);
    const gain = drafted.length === 0 ? 0 : committed.length - 1 - rowSteps;
    drafter.pace?.look(gain, (lookMs + performance.now() - startedAt) / plainMs, wasRight);
  }

  #compare(drafted: readonly DraftNode[], tokens: number): void {
    const promised = drafted.reduce((sum, { reach }) => sum + reach, 1);
    this.#predicted = MEMORY * this.#predicted + promised;
    this.#realised = MEMORY * this.#realised + tokens;
  }

  #rank(drafter: Drafter, rows: DraftRows, { visited, before }: LaneOutcome, logits: RowLogits): void {
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
