/**
 * Log-probabilities of the model itself: the log-softmax of the raw logits, before bias, penalties,
 * temperature and truncation (vLLM's default, `raw_logprobs`), so that they can be compared across requests.
 */

import { assertFiniteMaximum, firstAbove, maximum } from './argmax.js';

export interface RankedToken {
  readonly id: number;
  readonly logprob: number;
}

export interface TokenLogprobs {
  /** Natural logarithm; −Infinity if the model rules the token out. */
  readonly logprob: number;
  /** The likeliest `topCount` tokens, best first, ties by lower id. */
  readonly top: readonly RankedToken[];
}

/** `logits` is `[vocab]` and stays as it is. One pass for the sum, one for the top list, no sort. */
export function tokenLogprobs(logits: Float32Array, tokenId: number, topCount: number): TokenLogprobs {
  const max = maximum(logits);
  assertFiniteMaximum(max);
  const logSum = Math.log(sumOfExponentials(logits, max));
  // Two subtractions, since `max + logSum` would drown `logSum` when logits are huge.
  const logprobOf = (id: number) => logits[id]! - max - logSum;
  const top = likeliestTokens(logits, topCount).map((id) => ({ id, logprob: logprobOf(id) }));
  return { logprob: logprobOf(tokenId), top };
}

function sumOfExponentials(logits: Float32Array, max: number): number {
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id]! - max);
  return sum;
}

/** Insertion into a short sorted list, which most tokens do not get into. */
export function likeliestTokens(logits: Float32Array, count: number, peaks?: Float32Array): number[] {
  const top: number[] = [];
  if (count <= 0) return top;
  for (let id = 0; id < logits.length; id++) {
    if (top.length === count) {
      id = firstAbove(logits, id, logits[top[count - 1]!]!, peaks);
      if (id === logits.length) break;
      top.pop();
    }
    let place = top.length;
    while (place > 0 && logits[id]! > logits[top[place - 1]!]!) place--;
    top.splice(place, 0, id);
  }
  return top;
}
