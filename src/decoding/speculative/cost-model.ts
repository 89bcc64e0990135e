/**
 * What a step costs on this machine: milliseconds by rows (over all lanes) and cached tokens. Measured when drafts
 * are first wanted (`step-probe.ts`), corrected by every step that runs. Drafting pays or loses by the ratios of
 * this curve: on a CPU verifying n tokens is far from free.
 */

export interface StepTiming {
  /** Rows of all lanes together. */
  readonly rows: number;
  /** Cached tokens of the longest lane. */
  readonly context: number;
  readonly ms: number;
}

/** Widths at which the curve has a point; between them it is linear. */
export const COST_POINTS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256] as const;
/** Weight of the newest step in the point of its width; half of it at half or twice the width, and so on. */
const POINT_RATE = 0.2;
/** Weight of the newest plain step in the level of the whole curve: it tells how fast the machine is now. */
const LEVEL_RATE = 0.2;
/** A step that took this many times longer than foreseen was held up by something else. */
const OUTLIER = 2;
/** Rows behind many tokens cost at most this part of as many steps; more is noise. */
const STEEPEST = 0.9;

export class CostModel {
  #points: Float64Array = new Float64Array();
  /** Milliseconds per cached token, in each row. */
  #perContext = 0;
  #firstContext = 0;
  /** How fast the machine is now. */
  #level = 1;
  /** Of what was only assumed the first plain step tells the level. */
  #hasLevel = false;

  /** Without timings it assumes that a row costs a tenth of a step. */
  constructor(timings?: readonly StepTiming[]) {
    this.calibrate(timings ?? assumed);
    this.#hasLevel = timings !== undefined;
  }

  /** False until there is a timing of any kind. */
  get knowsPlainSteps(): boolean {
    return this.#hasLevel;
  }

  /** Starts anew from timings, of which those with the fewest cached tokens make the curve. */
  calibrate(timings: readonly StepTiming[]): void {
    const context = Math.min(...timings.map((timing) => timing.context));
    const near = timings.filter((timing) => timing.context === context);
    this.#points = isotonic(COST_POINTS.map((rows) => interpolate(leastByRows(near), rows)));
    this.#firstContext = context;
    this.#perContext = 0;
    this.#level = 1;
    this.#hasLevel = true;
    this.#addContext(timings.filter((timing) => timing.context > context));
  }

  ms(rows: number, context: number): number {
    return this.#level * (this.#base(rows) + this.#contextMs(rows, context));
  }

  observe({ rows, context, ms }: StepTiming, isPlain: boolean): void {
    const ratio = ms / this.ms(rows, context);
    const change = Math.min(OUTLIER, Math.max(1 / OUTLIER, ratio));
    if (isPlain) {
      this.#level *= this.#hasLevel ? change ** LEVEL_RATE : ratio;
      this.#hasLevel = true;
      return;
    }
    for (let i = 1; i < COST_POINTS.length; i++) {
      const octaves = Math.abs(Math.log2(COST_POINTS[i]! / rows));
      this.#points[i]! *= change ** (POINT_RATE * 0.5 ** octaves);
    }
    if (!isAscending(this.#points)) this.#points = isotonic([...this.#points]);
  }

  /**
   * What cached tokens cost, from a narrow and a wide step behind many: with b and n their base and rows, their
   * ratio r is (b₂ + n₂x) / (b₁ + n₁x), which does not ask how fast the machine is by then.
   */
  #addContext(far: readonly StepTiming[]): void {
    const [narrow, ...wider] = leastByRows(far);
    const wide = wider.at(-1);
    if (narrow === undefined || wide === undefined) return;
    const [b1, b2] = [this.#base(narrow.rows), this.#base(wide.rows)];
    const rowRatio = wide.rows / narrow.rows;
    const ratio = Math.min(wide.ms / narrow.ms, STEEPEST * rowRatio);
    const perRow = Math.max(0, (ratio * b1 - b2) / (wide.rows - ratio * narrow.rows));
    this.#perContext = perRow / (narrow.context - this.#firstContext);
    this.#level = narrow.ms / (b1 + narrow.rows * perRow);
  }

  #base(rows: number): number {
    const last = COST_POINTS.length - 1;
    let above = 1;
    while (above < last && COST_POINTS[above]! < rows) above++;
    const low = COST_POINTS[above - 1]!;
    const high = COST_POINTS[above]!;
    const lowMs = this.#points[above - 1]!;
    const highMs = this.#points[above]!;
    return lowMs + ((rows - low) / (high - low)) * (highMs - lowMs);
  }

  #contextMs(rows: number, context: number): number {
    return this.#perContext * rows * (context - this.#firstContext);
  }
}

const assumed: readonly StepTiming[] = COST_POINTS.map((rows) => ({
  rows,
  context: 0,
  ms: 10 * Math.max(1, 0.9 + 0.1 * rows),
}));

/** Linear between the points, and beyond the last with the slope before it. */
function interpolate(points: readonly Pick<StepTiming, 'rows' | 'ms'>[], rows: number): number {
  if (points.length === 1) return points[0]!.ms;
  let above = points.findIndex((point) => point.rows >= rows);
  if (above < 0) above = points.length - 1;
  if (above === 0) above = 1;
  const [low, high] = [points[above - 1]!, points[above]!];
  const share = (rows - low.rows) / (high.rows - low.rows);
  return Math.max(low.ms + share * (high.ms - low.ms), Math.min(low.ms, high.ms) / 2);
}

function isAscending(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (values[i]! < values[i - 1]!) return false;
  return true;
}

/** More rows never cost less: pools neighbours that say so (pool adjacent violators). */
function isotonic(values: readonly number[]): Float64Array {
  const pools: { sum: number; count: number }[] = [];
  for (const value of values) {
    let pool = { sum: value, count: 1 };
    for (let last = pools.at(-1); last !== undefined; last = pools.at(-1)) {
      if (last.sum / last.count <= pool.sum / pool.count) break;
      pool = { sum: pool.sum + last.sum, count: pool.count + last.count };
      pools.pop();
    }
    pools.push(pool);
  }
  return Float64Array.from(pools.flatMap(({ sum, count }) => Array<number>(count).fill(sum / count)));
}

/** Ascending, one for each number of rows. */
function leastByRows(timings: readonly StepTiming[]): StepTiming[] {
  const least = new Map<number, StepTiming>();
  for (const timing of timings) {
    if (timing.ms < (least.get(timing.rows)?.ms ?? Number.POSITIVE_INFINITY)) least.set(timing.rows, timing);
  }
  return [...least.values()].sort((a, b) => a.rows - b.rows);
}
