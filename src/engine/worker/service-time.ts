/** How long requests took lately, to tell those that are turned away when to come back. */

/** Weight of the newest request. */
const SMOOTHING = 0.2;
const MAX_SECONDS = 120;

export class ServiceTime {
  #averageMs: number | undefined;

  add(ms: number): void {
    this.#averageMs =
      this.#averageMs === undefined ? ms : this.#averageMs + SMOOTHING * (ms - this.#averageMs);
  }

  /** Whole seconds, at least 1, until `requests` have gone through `lanes` side by side. */
  untilFree(requests: number, lanes: number): number {
    const seconds = ((this.#averageMs ?? 0) * Math.ceil(requests / lanes)) / 1000;
    return Math.min(MAX_SECONDS, Math.max(1, Math.ceil(seconds)));
  }
}
