/**
 * What a step costs on this machine: milliseconds by rows (over all lanes) and cached tokens. Probed when the model
 * is loaded, corrected by every step that runs. Drafting pays or loses by the ratios of this curve: on a CPU
 * verifying n tokens is far from free.
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

export class CostModel {
  #points: Float64Array;
  /** Milliseconds per cached token, in each row. */
  readonly #perContext: number;
  readonly #probedContext: number;
  #level = 1;

  /** Without timings it assumes that a row costs a tenth of a step. */
  constructor(timings: readonly StepTiming[] = assumed) {
    const context = Math.min(...timings.map((timing) => timing.context));
    const base = timings.filter((timing) => timing.context === context);
    this.#probedContext = context;
    this.#points = isotonic(COST_POINTS.map((rows) => interpolate(base, rows)));
    this.#perContext = contextSlope(timings, (rows) => this.#base(rows));
  }

  ms(rows: number, context: number): number {
    return this.#level * (this.#base(rows) + this.#contextMs(rows, context));
  }

  observe({ rows, context, ms }: StepTiming, isPlain: boolean): void {
    const ratio = ms / this.ms(rows, context);
    const change = Math.min(OUTLIER, Math.max(1 / OUTLIER, ratio));
    if (isPlain) {
      this.#level *= change ** LEVEL_RATE;
      return;
    }
    COST_POINTS.forEach((point, i) => {
      const octaves = Math.abs(Math.log2(point / rows));
      if (i > 0) this.#points[i]! *= change ** (POINT_RATE * 0.5 ** octaves);
    });
    this.#points = isotonic([...this.#points]);
  }

  #base(rows: number): number {
    const last = COST_POINTS.length - 1;
    let above = 1;
    while (above < last && COST_POINTS[above]! < rows) above++;
    const [low, high] = [COST_POINTS[above - 1]!, COST_POINTS[above]!];
    const [lowMs, highMs] = [this.#points[above - 1]!, this.#points[above]!];
    return lowMs + ((rows - low) / (high - low)) * (highMs - lowMs);
  }

  #contextMs(rows: number, context: number): number {
    return this.#perContext * rows * (context - this.#probedContext);
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

function contextSlope(timings: readonly StepTiming[], base: (rows: number) => number): number {
  const context = Math.min(...timings.map((timing) => timing.context));
  const longer = timings.filter((timing) => timing.context > context);
  const slopes = longer.map((timing) => {
    return Math.max(0, timing.ms - base(timing.rows)) / (timing.rows * (timing.context - context));
  });
  return slopes.length === 0 ? 0 : slopes.reduce((sum, slope) => sum + slope, 0) / slopes.length;
}
