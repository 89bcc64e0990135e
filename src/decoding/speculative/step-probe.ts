/**
 * Measures what steps of several widths cost: when a model is loaded, or else when drafts are first wanted, on steps
 * that run anyway. Those get rows that nobody drafted and give their tokens all the same; that costs the lanes about ten
 * steps, once, and as much as five more when the first long context comes.
 */

import type { StepTiming } from './cost-model.js';

/** Rows per lane, ascending; what lies beyond is extrapolated. */
const NEAR_WIDTHS = [1, 2, 4, 8, 16, 32, 64] as const;
const FAR_WIDTHS = [1, 8] as const;
/** Steps of each width; the first allocates. */
const SAMPLES = 2;
/** A width that takes as long as so many plain steps is the last: running lanes shall not notice, and the curve goes on like that. */
const STEEP = 2;
/** How many more cached tokens than in the first measurement make a long context. */
const FAR_TOKENS = 448;

export class StepProbe {
  readonly timings: StepTiming[];
  #widths: readonly number[] = NEAR_WIDTHS;
  #context: number | undefined;
  /** Timings of the widths before this measurement. */
  #before = 0;
  #rows = 0;
  #samples: number[] = [];

  /** `known` are the timings of an earlier probe, which need not be taken again. */
  constructor(known: readonly StepTiming[] = []) {
    this.timings = [...known];
    if (known.length === 0) return;
    this.#context = Math.min(...known.map(({ context }) => context));
    const near = known.filter(({ context }) => context === this.#context).length;
    this.#before = near < known.length ? near : 0;
    this.#widths = (near < known.length ? FAR_WIDTHS : NEAR_WIDTHS).slice(0, known.length - this.#before);
  }

  /** False while a measurement is under way. */
  get isComplete(): boolean {
    return this.#measured === this.#widths.length;
  }

  /** Rows per lane that the next step shall have, or undefined if nothing is to be measured or `limit` is too small. */
  width(context: number, limit: number): number | undefined {
    if (this.isComplete) this.#turnFar(context);
    const width = this.#widths[this.#measured];
    return width !== undefined && width <= limit ? width : undefined;
  }

  /** A step that had the width that was asked for; true if something new is known. */
  observe({ rows, context, ms }: StepTiming): boolean {
    // Lanes came or went: both steps of a width must be alike.
    if (rows !== this.#rows) this.#samples = [];
    this.#rows = rows;
    this.#context ??= context;
    if (this.#samples.push(ms) < SAMPLES) return false;
    this.timings.push({ rows, context: this.#context, ms: Math.min(...this.#samples) });
    this.#samples = [];
    const plain = this.timings[this.#before]!;
    if (this.timings.at(-1)!.ms > STEEP * plain.ms) {
      this.#widths = this.#widths.slice(0, this.#measured);
    }
    return this.#measured > 1;
  }

  get #measured(): number {
    return this.timings.length - this.#before;
  }

  #turnFar(context: number): void {
    if (this.#before > 0 || context < this.#context! + FAR_TOKENS) return;
    this.#before = this.timings.length;
    this.#widths = FAR_WIDTHS;
    this.#context = undefined;
    this.#samples = [];
  }
}
