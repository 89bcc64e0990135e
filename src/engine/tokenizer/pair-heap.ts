/** A priority queue of pairs to merge: the lowest rank first, of equal ranks the leftmost. */

export interface RankedPair {
  readonly rank: number;
  readonly at: number;
}

export class PairHeap {
  /** Binary heap of `rank · positions + at`, so that one comparison of numbers orders by both. */
  readonly #keys: number[] = [];

  /** `positions` is above every `at`; ranks stay below 2⁵³ / positions. */
  constructor(private readonly positions: number) {}

  push(rank: number, at: number): void {
    const key = rank * this.positions + at;
    const keys = this.#keys;
    let place = keys.length;
    keys.push(key);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[place] = keys[parent]!;
      place = parent;
    }
    keys[place] = key;
  }

  pop(): RankedPair | undefined {
    const top = this.#keys[0];
    if (top === undefined) return undefined;
    const last = this.#keys.pop()!;
    if (this.#keys.length > 0) this.#sink(last);
    const at = top % this.positions;
    return { rank: (top - at) / this.positions, at };
  }

  /** Puts `key` in from the root. */
  #sink(key: number): void {
    const keys = this.#keys;
    let place = 0;
    for (let child = 1; child < keys.length; child = 2 * place + 1) {
      if (child + 1 < keys.length && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= key) break;
      keys[place] = keys[child]!;
      place = child;
    }
    keys[place] = key;
  }
}
