/** The tokens still in play for one draw, with their weights; buffers are made once per vocabulary size. */

export class Candidates {
  /** Only the first `count` entries are live, in ascending order of id. */
  readonly ids: Int32Array;
  /** `exp((logit − max) / temperature)`: in (0, 1], the likeliest token has exactly 1. */
  readonly weights: Float64Array;
  /** The same memory: entry `2 · at + 1` holds sign, exponent and the first mantissa bits of weight `at`. */
  readonly weightBits: Uint32Array;
  count = 0;

  constructor(vocabSize: number) {
    this.ids = new Int32Array(vocabSize);
    this.weights = new Float64Array(vocabSize);
    this.weightBits = new Uint32Array(this.weights.buffer);
  }

  /**
   * Takes every token with a logit of at least `threshold`. Subtracting the largest logit first keeps any
   * temperature above zero stable: the weights of all but the ties underflow to 0 at worst.
   */
  fill(logits: Float32Array, max: number, temperature: number, threshold: number): void {
    let count = 0;
    for (let id = 0; id < logits.length; id++) {
      const logit = logits[id]!;
      if (logit < threshold) continue;
      this.ids[count] = id;
      this.weights[count] = Math.exp((logit - max) / temperature);
      count++;
    }
    this.count = count;
  }

  totalWeight(): number {
    let total = 0;
    for (let at = 0; at < this.count; at++) total += this.weights[at]!;
    return total;
  }

  /**
   * Keeps the tokens that weigh more than `weight`, and of those that weigh exactly as much the ones up to
   * `lastTie`.
   */
  keepDownTo(weight: number, lastTie: number): void {
    let kept = 0;
    for (let at = 0; at < this.count; at++) {
      const w = this.weights[at]!;
      if (w < weight || (w === weight && this.ids[at]! > lastTie)) continue;
      this.ids[kept] = this.ids[at]!;
      this.weights[kept] = w;
      kept++;
    }
    this.count = kept;
  }

  /** The token at which the running sum in id order passes `u` of the whole (inverse CDF, float64). */
  draw(u: number): number {
    const target = u * this.totalWeight();
    let sum = 0;
    let last = 0;
    for (let at = 0; at < this.count; at++) {
      if (this.weights[at] === 0) continue;
      sum += this.weights[at]!;
      last = at;
      if (sum > target) break;
    }
    return this.ids[last]!;
  }
}
