/** A budget per minute that refills steadily. What is taken afterwards may leave a debt, to be worked off first. */

const MINUTE_MS = 60_000;

export class TokenBucket {
  #level: number;
  #filledAt: number;

  constructor(
    readonly perMinute: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#level = perMinute;
    this.#filledAt = now();
  }

  /** What may be taken now; below zero after a debt. */
  get level(): number {
    const now = this.now();
    const refill = ((now - this.#filledAt) * this.perMinute) / MINUTE_MS;
    this.#level = Math.min(this.perMinute, this.#level + refill);
    this.#filledAt = now;
    return this.#level;
  }

  take(amount: number): void {
    this.#level = this.level - amount;
  }

  /** Until at least `amount` may be taken. */
  msUntil(amount: number): number {
    return Math.max(0, ((amount - this.level) * MINUTE_MS) / this.perMinute);
  }
}
