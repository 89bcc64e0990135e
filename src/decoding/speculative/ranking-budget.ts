/** Keeps the ranking of rows, a pass over the vocabulary each, to a small part of the time of a step. */

const SHARE = 0.01;
const SMOOTHING = 0.1;

export class RankingBudget {
  #rankMs = 0;
  #stepMs = 0;
  /** Rows that could not be afforded yet; a ranking that takes longer than the share comes round less often. */
  #saved = 0;

  /** Rows that may be ranked now; the first is tried whatever it costs. */
  get affordable(): number {
    return this.#rankMs === 0 ? 1 : Math.max(0, Math.floor(this.#saved / this.#rankMs));
  }

  step(ms: number): void {
    this.#stepMs += SMOOTHING * (ms - this.#stepMs);
    this.#saved = Math.min(this.#saved + SHARE * ms, 4 * Math.max(this.#rankMs, SHARE * this.#stepMs));
  }

  time<T>(rank: () => T): T {
    const startedAt = performance.now();
    const result = rank();
    const ms = performance.now() - startedAt;
    this.#rankMs += (this.#rankMs === 0 ? 1 : SMOOTHING) * (ms - this.#rankMs);
    this.#saved -= ms;
    return result;
  }
}
