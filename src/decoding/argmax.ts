/** Single passes over a row of logits. A NaN is a broken graph, never a sample: all of them refuse it. */

import assert from 'node:assert/strict';

/** The largest logit, or NaN if any is NaN. */
export function maximum(logits: Float32Array): number {
  let max = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    // Written so that a NaN sticks: it fails `<=`, and nothing compares true with it afterwards.
    if (!(logit <= max)) max = logit;
    if (Number.isNaN(max)) return max;
  }
  return max;
}

/**
 * The position of the largest logit, ties to the lower id; 0 if all are −Infinity. Throws on NaN and on
 * +Infinity.
 */
export function argmax(logits: Float32Array): number {
  let best = 0;
  let max = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (!(logit <= max)) {
      max = logit;
      best = id;
      if (Number.isNaN(max)) break;
    }
  }
  if (max !== Number.NEGATIVE_INFINITY) assertFiniteMaximum(max);
  return best;
}

/** −Infinity means "impossible" and is fine for some tokens, but not for all of them. */
export function assertFiniteMaximum(max: number): void {
  assert(
    Number.isFinite(max),
    `logits must be numbers, at least one of them finite, but the largest is ${max}`,
  );
}
