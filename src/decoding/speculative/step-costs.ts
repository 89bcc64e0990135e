/** What steps of a model cost now: the curve, the steps that measure it, and how long ago a plain one was seen. */

import { CostModel, type StepTiming } from './cost-model.js';
import type { StepPlan } from './step-plan.js';
import { StepProbe } from './step-probe.js';

export interface StepCostsOptions {
  /** What steps cost, if that is known for good. */
  readonly timings?: readonly StepTiming[] | undefined;
  /** What was measured beforehand; without it, what is missing is measured when drafts are first wanted. */
  readonly measured?: readonly StepTiming[] | undefined;
  /** Hears of what was measured, for the next run. */
  keep?(measured: readonly StepTiming[]): void;
}

/** What speaks for drafts in a sequence: nothing, somebody who asked for them, or a guess or a grammar that tells what comes. */
export type Demand = 'none' | 'asked' | 'told';

/** In shorter steps looking for drafts mostly costs more than they save (measured). */
const SHORTEST_MS: Record<Demand, number> = { none: 20, asked: 2, told: 0.5 };
/** A plain step at least so often, since drafts must be compared with what one costs now. */
const REFRESH_STEPS = 64;
/** Widths whose costs are told to whoever watches. */
const REPORTED_ROWS = [2, 4, 8, 16, 32, 64] as const;

export class StepCosts {
  readonly #model: CostModel;
  readonly #probe: StepProbe | undefined;
  readonly #keep: StepCostsOptions['keep'];
  #sincePlain = 0;

  constructor({ timings, measured, keep }: StepCostsOptions) {
    this.#model = new CostModel(timings ?? measured);
    this.#probe = timings === undefined ? new StepProbe(measured) : undefined;
    this.#keep = keep;
  }

  /** False until a plain step has shown what drafting competes with. */
  get isKnown(): boolean {
    return this.#model.knowsPlainSteps;
  }

  /** Whether steps are long enough for drafts to pay. */
  allow(demand: Demand): boolean {
    return this.ms(1, 0) >= SHORTEST_MS[demand];
  }

  /** True if the next step shall be a plain one. */
  get needRefresh(): boolean {
    return this.#sincePlain >= REFRESH_STEPS;
  }

  /** Of a step with so many rows, over all lanes. */
  ms(rows: number, context: number): number {
    return this.#model.ms(rows, context);
  }

  /** Steps of several rows in plain steps. */
  ratios(context: number): (readonly [rows: number, ratio: number])[] {
    const plainMs = this.ms(1, context);
    return REPORTED_ROWS.map((rows) => [rows, this.ms(rows, context) / plainMs] as const);
  }

  /** Rows per lane that the next step shall have to be measured, at most `limit`; undefined if none. */
  probedWidth(context: number, limit: number): number | undefined {
    return this.#probe?.width(context, limit);
  }

  observe({ rows, lanes, context, isProbe }: StepPlan, ms: number): void {
    const timing = { rows: rows * lanes.length, context, ms };
    if (isProbe) this.#measure(timing);
    else this.#model.observe(timing, rows === 1);
    this.#sincePlain = rows === 1 ? 0 : this.#sincePlain + 1;
  }

  #measure(timing: StepTiming): void {
    if (!this.#probe?.observe(timing)) return;
    this.#model.calibrate(this.#probe.timings);
    if (this.#probe.isComplete) this.#keep?.(this.#probe.timings);
  }
}
