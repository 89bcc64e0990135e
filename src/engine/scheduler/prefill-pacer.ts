/**
 * How many prompt tokens may ride along in one step. Alone, a prompt gets full chunks; beside decoding lanes
 * only as many as the measured speed computes within the time that decoding may be held up.
 */

const GRANULE = 32;
/** Weight of the newest measurement. */
const SMOOTHING = 0.3;

export class PrefillPacer {
  readonly #fullChunk: number;
  readonly #maxDelayMs: number;
  #tokensPerMs: number | undefined;

  constructor(fullChunk: number, maxDelayMs: number) {
    this.#fullChunk = fullChunk;
    this.#maxDelayMs = maxDelayMs;
  }

  chunk(decodingLanes: number): number {
    if (decodingLanes === 0) return this.#fullChunk;
    const affordable = (this.#tokensPerMs ?? 0) * this.#maxDelayMs;
    const granules = Math.max(1, Math.floor(affordable / GRANULE));
    return Math.min(this.#fullChunk, granules * GRANULE);
  }

  measured(tokens: number, ms: number): void {
    const speed = tokens / Math.max(ms, 0.01);
    this.#tokensPerMs =
      this.#tokensPerMs === undefined ? speed : this.#tokensPerMs + SMOOTHING * (speed - this.#tokensPerMs);
  }
}
