/**
 * Sequences that have no lane, in order of rank: new ones, copies of a prompt for further choices, and those
 * that had to make room. A rank is the time of arrival plus a handicap per level of priority, so a request
 * overtakes by priority but never for longer than that handicap: nobody starves.
 */

import type { Sequence } from '../sequence/sequence.js';

/** How many milliseconds of waiting make up for one level of priority. */
export const PRIORITY_HANDICAP_MS = 2000;

/** Lower runs earlier. */
export function byRank(a: Sequence, b: Sequence): number {
  return (
    a.generation.rank - b.generation.rank || a.generation.order - b.generation.order || a.choice - b.choice
  );
}

export class WaitingQueue {
  readonly #sequences: Sequence[] = [];

  get size(): number {
    return this.#sequences.length;
  }

  /** Sequences that have never run, which is what the bound of the queue counts. */
  get fresh(): number {
    return this.#sequences.filter((sequence) => !sequence.generation.admitted).length;
  }

  first(): Sequence | undefined {
    return this.#sequences[0];
  }

  push(sequence: Sequence): void {
    this.#sequences.push(sequence);
    this.#sequences.sort(byRank);
  }

  shift(): Sequence | undefined {
    return this.#sequences.shift();
  }

  removeCancelled(): void {
    const kept = this.#sequences.filter((sequence) => !sequence.generation.cancelled);
    this.#sequences.splice(0, this.#sequences.length, ...kept);
  }
}
