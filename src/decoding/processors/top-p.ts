import type { Candidates } from '../candidates.js';
import type { CandidateFilter } from './candidate-filter.js';

/** Buckets of an eighth of a nat reach down to e⁻⁶⁴ of the likeliest token; lighter ones share the last. */
const BUCKETS = 512;
const BUCKETS_PER_NAT = 8;

/**
 * Nucleus sampling (arXiv 1904.09751, section 3.1): the fewest likeliest tokens whose probabilities reach
 * `topP`; ties go to the lower id. Only the bucket of weights in which the sum passes `topP` is sorted.
 */
export class TopP implements CandidateFilter {
  readonly #mass = new Float64Array(BUCKETS);
  readonly #bucketOf: Uint16Array;
  readonly #order: Int32Array;

  constructor(vocabSize: number) {
    this.#bucketOf = new Uint16Array(vocabSize);
    this.#order = new Int32Array(vocabSize);
  }

  isActive(params: { readonly topP: number }): boolean {
    return params.topP < 1;
  }

  apply(candidates: Candidates, params: { readonly topP: number }): void {
    const target = params.topP * this.#weigh(candidates);
    let bucket = 0;
    let above = 0;
    while (bucket < BUCKETS - 1 && above + this.#mass[bucket]! < target) above += this.#mass[bucket++]!;
    this.#cut(candidates, this.#sortBucket(candidates, bucket), target - above);
  }

  /** Fills the mass of each bucket and returns the total. */
  #weigh(candidates: Candidates): number {
    this.#mass.fill(0);
    let total = 0;
    for (let at = 0; at < candidates.count; at++) {
      const weight = candidates.weights[at]!;
      const bucket = bucketOf(weight);
      this.#bucketOf[at] = bucket;
      this.#mass[bucket] = this.#mass[bucket]! + weight;
      total += weight;
    }
    return total;
  }

  /** Places of the candidates in `bucket`, heaviest first, ties by place, which is by id. */
  #sortBucket({ weights, count }: Candidates, bucket: number): Int32Array {
    let size = 0;
    for (let at = 0; at < count; at++) {
      if (this.#bucketOf[at] === bucket) this.#order[size++] = at;
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

function bucketOf(weight: number): number {
  return Math.min(BUCKETS - 1, Math.floor(-Math.log(weight) * BUCKETS_PER_NAT));
}
