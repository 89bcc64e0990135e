/** Goodness of fit, for tests that compare a sample with a law. */

/** Cells that expect less than this are merged. */
const LEAST_EXPECTED = 5;

/** The chance of a sample of `draws` that fits `law` no better than `seen`. */
export function chiSquareP(seen: readonly number[], law: readonly number[], draws: number): number {
  let statistic = 0;
  let cells = 0;
  let [restSeen, restExpected] = [0, 0];
  const add = (count: number, expected: number) => {
    statistic += (count - expected) ** 2 / expected;
    cells++;
  };
  law.forEach((p, i) => {
    if (p * draws >= LEAST_EXPECTED) add(seen[i]!, p * draws);
    else {
      restSeen += seen[i]!;
      restExpected += p * draws;
    }
  });
  if (restExpected > 0) add(restSeen, restExpected);
  return upperTail(statistic, cells - 1);
}

/** Wilson and Hilferty's cube root (PNAS 17(12), 1931), good to a few percent from some degrees of freedom on. */
function upperTail(statistic: number, degrees: number): number {
  const spread = 2 / (9 * degrees);
  return normalTail((Math.cbrt(statistic / degrees) - (1 - spread)) / Math.sqrt(spread));
}

/** P(Z > z), Abramowitz and Stegun 7.1.26. */
function normalTail(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = (series * Math.exp(-x * x)) / 2;
  return z >= 0 ? tail : 1 - tail;
}

/** The chance that uniform values lie no closer to the uniform law than these (Marsaglia's series). */
export function kolmogorovSmirnovP(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  const distance = Math.max(...sorted.map((value, i) => Math.max((i + 1) / n - value, value - i / n)));
  const lambda = (Math.sqrt(n) + 0.12 + 0.11 / Math.sqrt(n)) * distance;
  let sum = 0;
  for (let k = 1; k <= 100; k++) sum += 2 * (-1) ** (k - 1) * Math.exp(-2 * k * k * lambda * lambda);
  return Math.min(1, Math.max(0, sum));
}
