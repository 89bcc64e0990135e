/**
 * Decode steps that verify drafts: what each lane brings to the step, and what of it the sequence takes. One row
 * per lane is a plain step.
 */

import type { LogitRow } from '../../decoding/logit-row.js';
import { acceptDraft } from '../../decoding/speculative/acceptance.js';
import type { Drafting } from '../../decoding/speculative/drafting.js';
import { isNearTie } from '../../decoding/speculative/near-tie.js';
import type { PlannedLane, StepPlan } from '../../decoding/speculative/step-plan.js';
import type { LaneCache } from '../kv-cache/lane-cache.js';
import type { ForwardRequest } from '../runner/runner.js';
import type { Sequence } from '../sequence/sequence.js';

/** Logits of a row of one lane. */
export type RowLogits = (row: number) => LogitRow;

export class DraftSteps {
  readonly #drafting: Drafting;
  readonly #cache: LaneCache;

  constructor(drafting: Drafting, cache: LaneCache) {
    this.#drafting = drafting;
    this.#cache = cache;
  }

  /** `batch` sits in the lanes from 0 on; each may get up to `roomRows` rows. */
  plan(batch: readonly Sequence[], roomRows: number): StepPlan {
    const lanes = batch.map((sequence, lane) => ({
      drafter: sequence.generation.promptDone && this.#drafting.isReady ? sequence.drafter : undefined,
      anchor: sequence.tokens.at(-1)!,
      cached: this.#cache.length(lane),
      tokensLeft: sequence.tokensLeft,
    }));
    return this.#drafting.plan(lanes, roomRows);
  }

  /** Takes what the rows of one lane gave; the rows that were not visited leave the cache. */
  accept(sequence: Sequence, lane: number, { rows, drafter }: PlannedLane, logits: RowLogits): number {
    const cached = this.#cache.length(lane) - rows.tokens.length;
    const before = sequence.tokens.length;
    const visited = acceptDraft(
      rows,
      (row) => {
        const { values, peaks } = logits(row);
        const token = sequence.accept(values, peaks);
        return sequence.finished ? undefined : token;
      },
      (row) => !sequence.generation.drafts.isStrict || !isNearTie(logits(row).values),
    );
    this.#cache.keep(lane, cached, visited);
    const committed = sequence.tokens.slice(before);
    if (drafter === undefined) {
      // The first step of a model, which shows what drafts compete with, counts as a plain one.
      sequence.drafter?.counters.note([], [], committed.length);
    } else {
      const outcome = { visited, committed, before: sequence.tokens.at(before - 2) };
      this.#drafting.learn(drafter, rows, outcome, logits);
    }
    return committed.length;
  }
}

/** All rows of the plan, those of narrower lanes padded. */
export function requestOf({ rows, lanes }: StepPlan): ForwardRequest {
  const logitRows = lanes.flatMap((lane, i) => lane.rows.tokens.map((_, row) => i * rows + row));
  const padded = (values: readonly number[], filler: number) => [
    ...values,
    ...Array<number>(rows - values.length).fill(filler),
  ];
  const request = {
    firstLane: 0,
    lanes: lanes.length,
    rows,
    tokenIds: Int32Array.from(lanes.flatMap((lane) => padded(lane.rows.tokens, lane.rows.tokens[0]!))),
    logitRows: Int32Array.from(logitRows),
  };
  if (rows === 1) return request;
  const counts = Int32Array.from(lanes, (lane) => lane.rows.tokens.length);
  const parents = Int32Array.from(lanes.flatMap((lane) => padded(lane.rows.parents, -1)));
  return { ...request, trees: { counts, parents } };
}
