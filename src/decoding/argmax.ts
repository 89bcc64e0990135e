/** Single passes over a row of logits. A NaN is a broken graph, never a sample: all of them refuse it. */

import assert from 'node:assert/strict';

/**
 * The first position from `from` on whose logit is above `bound`, or NaN; the length of the row if there is none. Eight
 * at a time, since almost none is.
 */
export function firstAbove(logits: Float32Array, from: number, bound: number): number {
  let at = from;
  for (const last = logits.length - 8; at <= last; at += 8) {
    // Written so that a NaN is found: it fails `<=`.
    const isBelow =
      logits[at]! <= bound &&
      logits[at + 1]! <= bound &&
      logits[at + 2]! <= bound &&
      logits[at + 3]! <= bound &&
      logits[at + 4]! <= bound &&
      logits[at + 5]! <= bound &&
      logits[at + 6]! <= bound &&
      logits[at + 7]! <= bound;
    if (!isBelow) break;
  }
  while (at < logits.length && logits[at]! <= bound) at++;
  return at;
}

/** The largest logit, or NaN if any is NaN. */
export function maximum(logits: Float32Array): number {
  const at = largest(logits);
  return at < logits.length ? logits[at]! : Number.NEGATIVE_INFINITY;
}

/**
 * The position of the largest logit, ties to the lower id; 0 if all are −Infinity. Throws on NaN and on
 * +Infinity.
 */
export function argmax(logits: Float32Array): number {
  const at = largest(logits);
  if (at === logits.length) return 0;
  assertFiniteMaximum(logits[at]!);
  return at;
}

/** The position of the first NaN or of the largest logit; the length of the row if all are −Infinity. */
function largest(logits: Float32Array): number {
  let best = logits.length;
  let max = Number.NEGATIVE_INFINITY;
  for (let at = firstAbove(logits, 0, max); at < logits.length; at = firstAbove(logits, at + 1, max)) {
    best = at;
    max = logits[at]!;
    if (Number.isNaN(max)) break;
  }
  return best;
}

/** −Infinity means "impossible" and is fine for some tokens, but not for all of them. */
export function assertFiniteMaximum(max: number): void {
  assert(
    Number.isFinite(max),
    `logits must be numbers, at least one of them finite, but the largest is ${max}`,
  );
}
