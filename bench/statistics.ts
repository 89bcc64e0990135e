/** Order statistics of small samples. */

/** The value below which the share `q` (0–1) of the samples lies, interpolated linearly. */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) throw new Error('no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);
