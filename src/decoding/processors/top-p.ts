import type { Candidates } from '../candidates.js';
import type { CandidateFilter } from './candidate-filter.js';

/** Exponent and five bits of mantissa of a weight: 32 buckets per factor of two, in ascending order. */
const BUCKET_SHIFT = 15;
/** The bucket of weight 1, the largest there is (high word of the float64: 0x3ff00000). */
const TOP_BUCKET = 0x3ff00000 >>> BUCKET_SHIFT;

/**
 * Nucleus sampling (arXiv 1904.09751, section 3.1): the fewest likeliest tokens whose probabilities reach
 * `topP`; ties go to the lower id. Only the bucket of weights in which the sum passes `topP` is sorted.
 */
export class TopP implements CandidateFilter {
  readonly #mass = new Float64Array(TOP_BUCKET + 1);
  readonly #order: Int32Array;

  constructor(vocabSize: number) {
    this.#order = new Int32Array(vocabSize);
  }

  isActive(params: { readonly topP: number }): boolean {
    return params.topP < 1;
  }

  apply(candidates: Candidates, params: { readonly topP: number }): void {
    const target = params.topP * this.#weigh(candidates);
    let bucket = TOP_BUCKET;
    let above = 0;
    while (bucket > 0 && above + this.#mass[bucket]! < target) above += this.#mass[bucket--]!;
    this.#cut(candidates, this.#sortBucket(candidates, bucket), target - above);
  }

  /** Fills the mass of each bucket and returns the total. */
  #weigh({ weights, weightBits, count }: Candidates): number {
    const mass = this.#mass.fill(0);
    let total = 0;
    for (let at = 0; at < count; at++) {
      const bucket = weightBits[2 * at + 1]! >>> BUCKET_SHIFT;
      mass[bucket] = mass[bucket]! + weights[at]!;
      total += weights[at]!;
    }
    return total;
  }

  /** Places of the candidates in `bucket`, heaviest first, ties by place, which is by id. */
  #sortBucket({ weights, weightBits, count }: Candidates, bucket: number): Int32Array {
    let size = 0;
    for (let at = 0; at < count; at++) {
      if (weightBits[2 * at + 1]! >>> BUCKET_SHIFT === bucket) this.#order[size++] = at;
    }
    return this.#order.subarray(0, size).sort((a, b) => weights[b]! - weights[a]! || a - b);
  }

  #cut(candidates: Candidates, order: Int32Array, target: number): void {
    let sum = 0;
    let last = 0;
    while (last < order.length - 1) {
      sum += candidates.weights[order[last]!]!;
      if (sum >= target) break;
      last++;
    }
    const place = order[last];
    if (place !== undefined) candidates.keepDownTo(candidates.weights[place]!, candidates.ids[place]!);
  }
}
