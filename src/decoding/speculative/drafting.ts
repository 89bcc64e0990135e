/**
 * Draft verification of one model, as the rest of the engine sees it. Where things happen:
 *
 *   opened    drafters.ts, adaptive-drafter.ts          what drafts for one sequence
 *   born      sources/*.ts, through draft-source.ts     what may come next, and on what evidence
 *   weighed   expansion.ts, calibrator.ts,              how likely each token and each path is
 *             draft-tree.ts
 *   sized     step-planner.ts, choose-rows.ts,          how many rows pay on this machine
 *             step-costs.ts
 *   verified  draft-rows.ts, acceptance.ts              one step, and the model's own choice at every row
 *   learnt    lessons.ts, draft-stores.ts               what came, whether it was drafted or not
 *   earned    looking-pace.ts                           whether it pays to look in every step
 */

import type { DraftStats } from '../../core/backend.js';
import type { DraftStores } from './draft-stores.js';
import type { Drafter } from './drafter.js';
import { Drafters, type SequenceDraft } from './drafters.js';
import { Lessons } from './lessons.js';
import { type Demand, StepCosts, type StepCostsOptions } from './step-costs.js';
import type { DraftingLane, LaneOutcome, PlannedLane, RowLogits, StepPlan } from './step-plan.js';
import { StepPlanner } from './step-planner.js';

export interface DraftingOptions extends StepCostsOptions {
  readonly stores: DraftStores;
  /** Most rows of a step, over all lanes. */
  readonly maxRows: number;
}

export class Drafting {
  readonly stores: DraftStores;
  /** Most rows of a step, over all lanes. */
  readonly maxRows: number;
  readonly #drafters: Drafters;
  readonly #costs: StepCosts;
  readonly #planner: StepPlanner;
  readonly #lessons = new Lessons();

  constructor({ stores, maxRows, ...costs }: DraftingOptions) {
    this.stores = stores;
    this.maxRows = maxRows;
    this.#drafters = new Drafters(stores);
    this.#costs = new StepCosts(costs);
    this.#planner = new StepPlanner(this.#costs, maxRows);
  }

  /** False until a plain step has shown what drafting competes with. */
  get isReady(): boolean {
    return this.#costs.isKnown;
  }

  /** Whether steps of the model are long enough for drafts to pay. */
  paysFor(demand: Demand): boolean {
    return this.#costs.allow(demand);
  }

  /** Suspended sequences are those of the last step that look only now and then. */
  get state(): Omit<DraftStats, 'numericsClass'> {
    return {
      costRatios: this.#costs.ratios(this.#planner.context),
      storeBytes: this.stores.bytesByLayer,
      storeEvictions: this.stores.evictions,
      suspended: this.#planner.suspended,
      predictedOverRealised: this.#lessons.predictedOverRealised,
    };
  }

  begin(sequence: SequenceDraft): Drafter {
    return this.#drafters.open(sequence);
  }

  /** Decides how many rows each lane gets in the next step; `roomRows` is what the cache has room for per lane. */
  plan(lanes: readonly DraftingLane[], roomRows: number): StepPlan {
    return this.#planner.plan(lanes, roomRows);
  }

  /** After a step of `ms` milliseconds that followed the plan. */
  observe(plan: StepPlan, ms: number): void {
    const { rows, lanes, context } = plan;
    this.#costs.observe(plan, ms);
    const plainMs = this.#costs.ms(lanes.length, context);
    this.#lessons.begin(plan, ms, plainMs, this.#costs.ms(rows * lanes.length, context) / plainMs);
  }

  /** What one lane of the step that was just observed gave; `logits` are those of its rows, if there are any. */
  learn(lane: PlannedLane, outcome: LaneOutcome, logits: RowLogits | undefined): void {
    this.#lessons.learn(lane, outcome, logits);
  }
}
