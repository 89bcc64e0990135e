/**
 * Decode steps that verify drafts: what each lane brings to the step, and what of it the sequence takes. One row
 * per lane is a plain step.
 */

import { acceptDraft } from '../../decoding/speculative/acceptance.js';
import type { Drafting } from '../../decoding/speculative/drafting.js';
import { isNearTie } from '../../decoding/speculative/near-tie.js';
import type { PlannedLane, RowLogits, StepPlan } from '../../decoding/speculative/step-plan.js';
import type { LaneCache } from '../kv-cache/lane-cache.js';
import type { ForwardRequest } from '../runner/runner.js';
import type { Sequence } from '../sequence/sequence.js';

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
  accept(sequence: Sequence, lane: number, planned: PlannedLane, logits: RowLogits): number {
    const { rows, drafter } = planned;
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
      this.#drafting.learn(planned, outcome, logits);
    }
    return committed.length;
  }
}

/** All rows of the plan, those of narrower lanes padded. */
export function requestOf({ rows, lanes }: StepPlan): ForwardRequest {
  const tokenIds = new Int32Array(lanes.length * rows);
  const parents = new Int32Array(lanes.length * rows).fill(-1);
  const counts = new Int32Array(lanes.length);
  const logitRows: number[] = [];
  for (const [lane, { rows: own }] of lanes.entries()) {
    const first = lane * rows;
    counts[lane] = own.tokens.length;
    tokenIds.fill(own.tokens[0]!, first, first + rows);
    tokenIds.set(own.tokens, first);
    parents.set(own.parents, first);
    for (let row = 0; row < own.tokens.length; row++) logitRows.push(first + row);
  }
  const request = {
    firstLane: 0,
    lanes: lanes.length,
    rows,
    tokenIds,
    logitRows: Int32Array.from(logitRows),
  };
  return rows === 1 ? request : { ...request, trees: { counts, parents } };
}
