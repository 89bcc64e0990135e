/** Single passes over a row of logits. A NaN is a broken graph, never a sample: all of them refuse it. */

import assert from 'node:assert/strict';
import { peakRun } from './logit-row.js';

/**
 * The first position from `from` on whose logit is above `bound`, or NaN; the length of the row if there is none. With
 * `peaks` (see `LogitRow`) it reads only the runs that may have one.
 */
export function firstAbove(logits: Float32Array, from: number, bound: number, peaks?: Float32Array): number {
  let at = from;
  const known = (peaks?.length ?? 0) * peakRun;
  while (at < known) {
    const run = Math.floor(at / peakRun);
    const end = (run + 1) * peakRun;
    // Written so that a NaN is looked at: it fails `<=`.
    at = peaks![run]! <= bound ? end : scan(logits, at, end, bound);
    if (at < end) return at;
  }
  return scan(logits, at, logits.length, bound);
}

/** Up to `end`, eight at a time, since almost none is. */
function scan(logits: Float32Array, from: number, end: number, bound: number): number {
  let at = from;
  for (const last = end - 8; at <= last; at += 8) {
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
  while (at < end && logits[at]! <= bound) at++;
  return at;
}

/** The largest logit, or NaN if any is NaN. */
export function maximum(logits: Float32Array, peaks?: Float32Array): number {
  const at = largest(logits, peaks);
  return at < logits.length ? logits[at]! : Number.NEGATIVE_INFINITY;
}

/**
 * The position of the largest logit, ties to the lower id; 0 if all are −Infinity. Throws on NaN and on
 * +Infinity.
 */
export function argmax(logits: Float32Array, peaks?: Float32Array): number {
  const at = largest(logits, peaks);
  if (at === logits.length) return 0;
  assertFiniteMaximum(logits[at]!);
  return at;
}

/** The position of the first NaN or of the largest logit; the length of the row if all are −Infinity. */
function largest(logits: Float32Array, peaks: Float32Array | undefined): number {
  let best = logits.length;
  let max = Number.NEGATIVE_INFINITY;
  const next = (from: number): number => firstAbove(logits, from, max, peaks);
  for (let at = next(0); at < logits.length; at = next(at + 1)) {
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
