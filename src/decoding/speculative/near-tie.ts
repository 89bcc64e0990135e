/** A hundred times what was seen of float32. */
const RELATIVE_GAP = 1e-4;

/**
 * True if rounding could change which token is the likeliest. A row of a draft reads some of its context from the
 * step itself instead of from the cache, which adds the same numbers in another order: in float32 that moves
 * logits by a millionth or so of the largest.
 */
export function isNearTie(logits: Float32Array): boolean {
  let first = Number.NEGATIVE_INFINITY;
  let second = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit <= second) continue;
    if (logit > first) {
      second = first;
      first = logit;
    } else second = logit;
  }
  return first - second < RELATIVE_GAP * Math.max(1, Math.abs(first));
}
