/** Sizes each step: what all lanes have to draft, and how much of it pays. */

import { chooseRows } from './choose-rows.js';
import { fillUp, layOut } from './draft-rows.js';
import type { Draft } from './drafter.js';
import type { StepCosts } from './step-costs.js';
import { type DraftingLane, type PlannedLane, plainLane, plainPlan, type StepPlan } from './step-plan.js';

const SMOOTHING = 0.1;

interface Looked {
  /** By lane; undefined for those that did not look. */
  readonly drafts: readonly (Draft | undefined)[];
  readonly trees: Draft[];
  /** Drafted tokens that each of the trees may have. */
  readonly maxNodes: number[];
}

export class StepPlanner {
  /** Of the last step: lanes that look for drafts only now and then, and cached tokens of the longest lane. */
  suspended = 0;
  context = 0;
  readonly #costs: StepCosts;
  readonly #maxRows: number;
  /** Milliseconds that drafting took per row, lately. */
  #rowMs = 0;

  /** `maxRows` are those of a step, over all lanes. */
  constructor(costs: StepCosts, maxRows: number) {
    this.#costs = costs;
    this.#maxRows = maxRows;
  }

  /** `roomRows` is what the cache has room for per lane. */
  plan(lanes: readonly DraftingLane[], roomRows: number): StepPlan {
    this.context = lanes.reduce((most, { cached }) => Math.max(most, cached), 0);
    this.suspended = lanes.reduce((count, { drafter }) => count + (drafter?.pace?.isResting ? 1 : 0), 0);
    if (!lanes.some(looks)) return plainPlan(lanes, this.context);
    return this.#planDrafts(lanes, Math.min(roomRows, Math.floor(this.#maxRows / lanes.length)));
  }

  /** `limit` is the most rows per lane. */
  #planDrafts(lanes: readonly DraftingLane[], limit: number): StepPlan {
    const startedAt = performance.now();
    const { context } = this;
    const { drafts, trees, maxNodes } = this.#look(lanes);
    const probed = this.#costs.probedWidth(context, limit);
    const chosen = chooseRows(trees, {
      maxRows: this.#costs.needRefresh ? 1 : limit,
      maxNodes,
      plainLanes: lanes.length - trees.length,
      ms: (rows) => this.#costs.ms(rows * lanes.length, context) + this.#rowMs * rows,
    });
    let widest = 1;
    const planned = lanes.map((lane, i): PlannedLane => {
      const { anchor, drafter } = lane;
      const draft = drafts[i];
      if (drafter === undefined || draft === undefined) return plainLane(lane);
      const width = drafter.isFixed ? limit : (probed ?? chosen);
      const nodes = Math.min(width - 1, drafter.maxNodes);
      const rows = fillUp(layOut(anchor, draft.nodes, nodes), probed ?? 1);
      widest = Math.max(widest, rows.tokens.length);
      return { drafter, rows, looked: true };
    });
    const draftMs = performance.now() - startedAt;
    this.#rowMs += SMOOTHING * (draftMs / chosen - this.#rowMs);
    return { rows: widest, lanes: planned, isProbe: probed !== undefined, draftMs, context };
  }

  #look(lanes: readonly DraftingLane[]): Looked {
    const trees: Draft[] = [];
    const maxNodes: number[] = [];
    const drafts = lanes.map((lane) => {
      if (!looks(lane)) return undefined;
      const draft = lane.drafter!.draft(lane.tokensLeft);
      trees.push(draft);
      maxNodes.push(lane.drafter!.maxNodes);
      return draft;
    });
    return { drafts, trees, maxNodes };
  }
}

/** Whether the lane is to look for drafts. */
function looks({ drafter }: DraftingLane): boolean {
  return drafter !== undefined && drafter.pace?.isDue !== false;
}
