/**
 * Draft verification of one model: opens a drafter per sequence and plans each step. Where things happen:
 *
 *   born      sources/*.ts, through draft-source.ts     what may come next, and on what evidence
 *   weighed   calibrator.ts, draft-tree.ts              how likely each token and each path is
 *   sized     step-probe.ts, cost-model.ts,             how many rows pay on this machine
 *             choose-rows.ts
 *   verified  draft-rows.ts, acceptance.ts              one step, and the model's own choice at every row
 *   learnt    drafter.ts (`learn`), draft-stores.ts     what came, whether it was drafted or not
 */

import type { DraftStats } from '../../core/backend.js';
import type { DraftMethod } from '../../core/efficiency.js';
import type { LogitRow } from '../logit-row.js';
import { AdaptiveDrafter, type AdaptiveDrafterOptions } from './adaptive-drafter.js';
import { Calibrator } from './calibrator.js';
import { chooseRows } from './choose-rows.js';
import { CostModel, type StepTiming } from './cost-model.js';
import type { DraftNode } from './draft-node.js';
import type { DraftRows } from './draft-rows.js';
import { fillUp, layOut, plainRows } from './draft-rows.js';
import type { SourceName } from './draft-source.js';
import type { DraftStores } from './draft-stores.js';
import type { Drafter } from './drafter.js';
import { FixedDrafter } from './fixed-drafter.js';
import { PublishedMethods } from './published/published-methods.js';
import { rankRow } from './ranked-row.js';
import { RankingBudget } from './ranking-budget.js';
import { StepProbe } from './step-probe.js';
import { ANY } from './trigram-store.js';

export interface DraftingOptions {
  /** What steps cost, if that is known for good. */
  readonly timings?: readonly StepTiming[] | undefined;
  /** Otherwise it is measured when drafts are first wanted, unless an earlier run of the program did. */
  readonly measured?: readonly StepTiming[] | undefined;
  /** Hears of what was measured, for the next run. */
  keep?(measured: readonly StepTiming[]): void;
  readonly stores: DraftStores;
  /** Most rows of a step, over all lanes. */
  readonly maxRows: number;
}

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
}

/** What came of a lane in a step. */
export interface LaneOutcome {
  /** Rows whose choice was taken. */
  readonly visited: readonly number[];
  /** Tokens that were committed. */
  readonly committed: readonly number[];
  /** The token before the anchor. */
  readonly before: number | undefined;
}

export interface StepPlan {
  /** Rows of the widest lane. */
  readonly rows: number;
  readonly lanes: readonly PlannedLane[];
  /** True if the width is there to be measured. */
  readonly isProbe: boolean;
  readonly draftMs: number;
  readonly context: number;
}

/** Looking for drafts and learning take some tenths of a millisecond, too much of a shorter step: nobody looks unless asked. */
const SHORT_STEP_MS = 20;
/** A model whose steps are shorter drafts only from what costs next to nothing to look up. */
const TINY_STEP_MS = 1;
const CHEAP_SOURCES: readonly SourceName[] = ['grammar', 'prediction', 'context', 'history'];
/** Calibration differs with how much chance is in the choice; a table for each of these temperatures. */
const TEMPERATURE_BANDS = [0, 0.5, 1, Number.POSITIVE_INFINITY] as const;
const SMOOTHING = 0.1;
/** Widths whose costs are told to whoever watches. */
const REPORTED_ROWS = [2, 4, 8, 16, 32, 64] as const;
/** A plain step at least so often, since drafts must be compared with what one costs now. */
const REFRESH_STEPS = 64;
/** Weight of the past in how well drafts kept their promise, per lane and step. */
const MEMORY = 0.999;
/** Rows of a rejected draft that the stores still learn from. */
const MAX_REJECTED = 2;
const NOTHING: readonly DraftNode[] = [];

export type SequenceDraft = Omit<AdaptiveDrafterOptions, 'calibrator' | 'store' | 'corpus' | 'sources'> & {
  readonly method: DraftMethod;
  readonly scope: string;
  readonly temperature: number;
  readonly sources: readonly SourceName[];
};

export class Drafting {
  readonly stores: DraftStores;
  /** Most rows of a step, over all lanes. */
  readonly maxRows: number;
  readonly #costs: CostModel;
  readonly #probe: StepProbe | undefined;
  readonly #keep: DraftingOptions['keep'];
  readonly #published = new PublishedMethods();
  readonly #ranking = new RankingBudget();
  readonly #calibrators = TEMPERATURE_BANDS.map(() => new Calibrator());
  /** Milliseconds that drafting took per row, lately. */
  #rowMs = 0;
  /** Of the last step: plain steps that would have taken as long, and each lane's part of the drafting and of the step. */
  #relativeMs = 1;
  #laneDraftMs = 0;
  #laneMs = 0;
  #sincePlain = 0;
  #suspended = 0;
  #context = 0;
  /** Tokens of drafted steps, lately: as the tree had them, and as they came. */
  #predicted = 0;
  #realised = 0;

  constructor({ timings, measured, keep, stores, maxRows }: DraftingOptions) {
    this.#costs = new CostModel(timings ?? measured);
    this.#probe = timings === undefined ? new StepProbe(measured) : undefined;
    this.#keep = keep;
    this.stores = stores;
    this.maxRows = maxRows;
  }

  /** False until a plain step has shown what drafting competes with. */
  get isReady(): boolean {
    return this.#costs.knowsPlainSteps;
  }

  /** True where looking for drafts may cost more than they save. */
  get stepsAreShort(): boolean {
    return this.#costs.ms(1, 0) < SHORT_STEP_MS;
  }

  /** Suspended sequences are those of the last step. */
  get state(): Omit<DraftStats, 'numericsClass'> {
    const plainMs = this.#costs.ms(1, this.#context);
    return {
      costRatios: REPORTED_ROWS.map((rows) => [rows, this.#costs.ms(rows, this.#context) / plainMs] as const),
      storeBytes: this.stores.bytesByLayer,
      storeEvictions: this.stores.evictions,
      suspended: this.#suspended,
      predictedOverRealised: this.#realised === 0 ? undefined : this.#predicted / this.#realised,
    };
  }

  begin({ method, scope, temperature, sources, ...rest }: SequenceDraft): Drafter {
    if (method !== 'adaptive')
      return new FixedDrafter({ ...rest, method: this.#published.open(method, scope) });
    const band = TEMPERATURE_BANDS.findIndex((limit) => temperature <= limit);
    const tiny = this.#costs.ms(1, 0) < TINY_STEP_MS;
    return new AdaptiveDrafter({
      ...rest,
      sources: new Set(tiny ? sources.filter((name) => CHEAP_SOURCES.includes(name)) : sources),
      calibrator: this.#calibrators[band]!,
      store: this.stores.scope(scope),
      corpus: this.stores.corpus,
    });
  }

  /** Decides how many rows each lane gets in the next step; `roomRows` is what the cache has room for per lane. */
  plan(lanes: readonly DraftingLane[], roomRows: number): StepPlan {
    const context = lanes.reduce((most, { cached }) => Math.max(most, cached), 0);
    this.#context = context;
    if (lanes.every(({ drafter }) => drafter === undefined)) {
      this.#suspended = 0;
      return plainPlan(lanes, context);
    }
    const startedAt = performance.now();
    const drafts = lanes.map(({ drafter, tokensLeft }) => drafter?.draft(tokensLeft));
    const drafting = drafts.filter((draft) => draft !== undefined);
    this.#suspended = lanes.filter(({ drafter }) => drafter?.isSuspended).length;
    const ms = (rows: number) => this.#costs.ms(rows * lanes.length, context) + this.#rowMs * rows;
    const limit = Math.min(roomRows, Math.floor(this.maxRows / lanes.length));
    const probed = this.#probe?.width(context, limit);
    const chosen = chooseRows(drafting, {
      maxRows: this.#sincePlain < REFRESH_STEPS ? limit : 1,
      maxNodes: lanes.flatMap(({ drafter }) => (drafter === undefined ? [] : [drafter.maxNodes])),
      plainLanes: lanes.length - drafting.length,
      ms,
    });
    const planned = lanes.map(({ anchor, drafter }, i): PlannedLane => {
      if (drafter === undefined) return { drafter, rows: plainRows(anchor) };
      const width = drafter.isFixed ? limit : (probed ?? chosen);
      const nodes = Math.min(width - 1, drafter.maxNodes);
      return { drafter, rows: fillUp(layOut(anchor, drafts[i]!.nodes, nodes), probed ?? 1) };
    });
    const draftMs = performance.now() - startedAt;
    this.#rowMs += SMOOTHING * (draftMs / chosen - this.#rowMs);
    return { rows: widest(planned), lanes: planned, isProbe: probed !== undefined, draftMs, context };
  }

  /** After a step of `ms` milliseconds that followed the plan. */
  observe(plan: StepPlan, ms: number): void {
    const plainMs = this.#costs.ms(plan.lanes.length, plan.context);
    const timing = { rows: plan.rows * plan.lanes.length, context: plan.context, ms };
    if (plan.isProbe) this.#measure(timing);
    else this.#costs.observe(timing, plan.rows === 1);
    this.#sincePlain = plan.rows === 1 ? 0 : this.#sincePlain + 1;
    this.#ranking.step(ms);
    this.#relativeMs = (ms + plan.draftMs) / plainMs;
    this.#laneDraftMs = plan.draftMs / plan.lanes.length;
    this.#laneMs = ms / plan.lanes.length;
  }

  /** What one lane of the step that was just observed gave; `logits` are those of its rows, if there are any. */
  learn(
    drafter: Drafter,
    rows: DraftRows,
    { visited, committed, before }: LaneOutcome,
    logits: ((row: number) => LogitRow) | undefined,
  ): void {
    const drafted = rows.nodes.length === 1 ? NOTHING : rows.nodes.filter((node) => node !== undefined);
    drafter.learn(drafted, committed, this.#relativeMs);
    if (drafted.length > 0 && !drafter.isFixed) this.#compare(drafted, committed.length);
    drafter.counters.noteTime(drafted.length, this.#laneDraftMs, this.#laneMs);
    if (logits === undefined || !drafter.wantsRanks) return;
    if (this.#ranking.affordable === 0) return;
    const last = visited.at(-1)!;
    for (const row of this.#rankedRows(rows, visited)) {
      const parent = rows.parents[row]!;
      const a = parent < 0 ? (before ?? ANY) : rows.tokens[parent]!;
      const ranked = this.#ranking.time(() => rankRow(logits(row)));
      drafter.recycle(a, rows.tokens[row]!, ranked, row === last);
    }
  }

  #measure(timing: StepTiming): void {
    if (!this.#probe?.observe(timing)) return;
    this.#costs.calibrate(this.#probe.timings);
    if (this.#probe.isComplete) this.#keep?.(this.#probe.timings);
  }

  #compare(drafted: readonly DraftNode[], tokens: number): void {
    const promised = drafted.reduce((sum, { reach }) => sum + reach, 1);
    this.#predicted = MEMORY * this.#predicted + promised;
    this.#realised = MEMORY * this.#realised + tokens;
  }

  /** The newest row first, then the others that were visited, then rejected ones: their logits are as true. */
  #rankedRows({ tokens }: DraftRows, visited: readonly number[]): number[] {
    const rejected = tokens.flatMap((_, row) => (visited.includes(row) ? [] : [row])).slice(0, MAX_REJECTED);
    return [...visited.toReversed(), ...rejected].slice(0, this.#ranking.affordable);
  }
}

/** One token for each lane. */
function plainPlan(lanes: readonly DraftingLane[], context: number): StepPlan {
  const planned = lanes.map(({ anchor }) => ({ drafter: undefined, rows: plainRows(anchor) }));
  return { rows: 1, lanes: planned, isProbe: false, draftMs: 0, context };
}

function widest(lanes: readonly PlannedLane[]): number {
  return lanes.reduce((most, { rows }) => Math.max(most, rows.tokens.length), 1);
}
