/**
 * True if rounding could change which token is the likeliest: the two largest logits are within `rounding` of each
 * other. A row of a draft reads some of its context from the step itself instead of from the cache, which adds
 * the same numbers in another order.
 */
export function isNearTie(logits: Float32Array, rounding: number): boolean {
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
  return first - second < rounding;
}
