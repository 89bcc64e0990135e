/**
 * The last line of "never slower": a sequence whose drafts did not pay over a while stops drafting for a while,
 * longer each time. What it would have drafted is still compared with what came, so that it notices when the
 * text changes.
 */

const WINDOW = 64;
const BREAK_EVEN = 0.98;
const FIRST_PAUSE = 32;
const LONGEST_PAUSE = 512;

export class Suspension {
  #tokens = 0;
  #plainSteps = 0;
  #steps = 0;
  #pauseLeft = 0;
  #pause = FIRST_PAUSE;

  get active(): boolean {
    return this.#pauseLeft > 0;
  }

  /** A step that gave `tokens` and took as long as `plainSteps` plain ones. */
  note(tokens: number, plainSteps: number): void {
    if (this.active) {
      this.#pauseLeft--;
      return;
    }
    this.#tokens += tokens;
    this.#plainSteps += plainSteps;
    if (++this.#steps < WINDOW) return;
    const paid = this.#tokens >= BREAK_EVEN * this.#plainSteps;
    this.#pauseLeft = paid ? 0 : this.#pause;
    this.#pause = paid ? FIRST_PAUSE : Math.min(LONGEST_PAUSE, 2 * this.#pause);
    this.#tokens = 0;
    this.#plainSteps = 0;
    this.#steps = 0;
  }
}
