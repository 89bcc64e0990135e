import type { SamplingParams } from '../../../src/core/messages.js';
import type { SamplingContext } from '../../../src/decoding/sampler.js';

/**
 * The definition of sampling, written for reading: every step over the whole vocabulary, everything sorted.
 * Returns the probability of each token; the fast sampler is compared with it.
 */
export function plainDistribution(
  logits: ArrayLike<number>,
  p: SamplingParams,
  context: SamplingContext,
): number[] {
  const { promptTokens, outputCounts } = context.history;
  const processed = Array.from(logits, (logit, id) => {
    let value = logit;
    for (const [biased, bias] of p.logitBias) {
      if (biased === id) value = bias <= -100 ? Number.NEGATIVE_INFINITY : Math.fround(value + bias);
    }
    if (promptTokens.has(id) || outputCounts.has(id)) {
      value = Math.fround(value > 0 ? value / p.repetitionPenalty : value * p.repetitionPenalty);
    }
    const count = outputCounts.get(id) ?? 0;
    if (count > 0) value = Math.fround(value - count * p.frequencyPenalty - p.presencePenalty);
    return context.bannedTokens.includes(id) ? Number.NEGATIVE_INFINITY : value;
  });
  if (p.temperature === 0) return oneHot(processed.length, processed.indexOf(Math.max(...processed)));
  let kept = processed.map((_, id) => id).sort((a, b) => processed[b]! - processed[a]! || a - b);
  if (p.topK > 0 && p.topK < kept.length) {
    const threshold = processed[kept[p.topK - 1]!]!;
    kept = kept.filter((id) => processed[id]! >= threshold);
  }
  const max = processed[kept[0]!]!;
  const weight = (id: number) => Math.exp((processed[id]! - max) / p.temperature);
  if (p.topP < 1) kept = nucleus(kept, weight, p.topP);
  if (p.minP > 0) kept = kept.filter((id) => weight(id) >= p.minP);
  const total = kept.reduce((sum, id) => sum + weight(id), 0);
  const probabilities = new Array<number>(processed.length).fill(0);
  for (const id of kept) probabilities[id] = weight(id) / total;
  return probabilities;
}

/** `kept` is sorted by weight; the token that crosses `topP` stays. */
function nucleus(kept: number[], weight: (id: number) => number, topP: number): number[] {
  const total = kept.reduce((sum, id) => sum + weight(id), 0);
  let sum = 0;
  return kept.filter((id) => {
    const before = sum;
    sum += weight(id);
    return before < topP * total || before === 0;
  });
}

function oneHot(size: number, id: number): number[] {
  return Array.from({ length: size }, (_, at) => (at === id ? 1 : 0));
}

/** The token at which the running sum in id order passes `u`. */
export function plainDraw(probabilities: readonly number[], u: number): number {
  let sum = 0;
  let last = 0;
  for (const [id, probability] of probabilities.entries()) {
    if (probability === 0) continue;
    sum += probability;
    last = id;
    if (sum > u) break;
  }
  return last;
}
