/** What steps of n rows cost beside one row, as measured once on two cores with AVX2; fixed, so that replays compare. */

import type { StepTiming } from '../../src/decoding/speculative/cost-model.js';

/** Milliseconds of one row; large enough that looking for drafts is small beside it. */
const PLAIN_MS = 20;

const curve = (ratios: Readonly<Record<number, number>>): StepTiming[] =>
  Object.entries(ratios).map(([rows, ratio]) => ({ rows: Number(rows), context: 0, ms: PLAIN_MS * ratio }));

export const costCurves = {
  int4: curve({ 1: 1, 2: 1.15, 3: 1.85, 4: 2.2, 6: 2.4, 8: 3, 16: 7.5, 32: 12.5, 64: 24 }),
  fp32: curve({ 1: 1, 2: 1.4, 4: 1.45, 8: 1.7, 16: 2.1, 32: 3.8, 64: 6.2 }),
  /** Verification costs nothing: what could be accepted at all. */
  free: curve({ 1: 1, 64: 1 }),
} as const;
