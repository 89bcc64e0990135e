/**
 * Whose prompt gets the next chunk. Every other chunk goes to the first in rank, those between go round all
 * prompts, so that a short one behind a long one is not held up and the long one still finishes.
 */

import type { Sequence } from '../sequence/sequence.js';
import { byRank } from './waiting-queue.js';

export class PrefillTurns {
  readonly #lastTurn = new WeakMap<Sequence, number>();
  #turn = 0;

  next(prefilling: readonly Sequence[]): Sequence | undefined {
    this.#turn++;
    const order = [...prefilling].sort(this.#turn % 2 === 0 ? byRank : (a, b) => this.#longestAgo(a, b));
    const [chosen] = order;
    if (chosen !== undefined) this.#lastTurn.set(chosen, this.#turn);
    return chosen;
  }

  #longestAgo(a: Sequence, b: Sequence): number {
    return (this.#lastTurn.get(a) ?? 0) - (this.#lastTurn.get(b) ?? 0) || byRank(a, b);
  }
}
