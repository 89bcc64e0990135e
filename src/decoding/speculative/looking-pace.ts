/**
 * The last line of "never slower": whether looking for drafts earns the time that it takes. Where the text is new it finds
 * little; then a sequence looks only now and then, until it finds something again.
 */

/** Weight of what was earned before, per look. */
const MEMORY = 0.985;
/** How fast what a look is thought to take follows what one took. */
const FALL = 0.2;
const RISE = 0.02;
/** So many looks are made before they are judged, and of those of other sequences so many count. */
const TRIAL = 48;
/** Most steps between two looks while looking does not pay. */
const LONGEST_REST = 32;
/** A find that is worth more steps than this ends the rest; every look that was right halves it, every other doubles it. */
const FIND = 1;
/** Part of a step that a look may lose and go on: what it learns may be worth a lot. */
const BEARABLE = 0.02;

/** What looks earned lately, and what one takes, in plain steps. */
export class Earnings {
  looks = 0;
  gain = 0;
  /** Of one look. Code that runs for the first time, or is held up, takes many times longer: that hardly counts. */
  cost = Number.POSITIVE_INFINITY;

  /** `gain` is negative where verifying took longer than the tokens were worth. */
  add(gain: number, cost: number): void {
    this.looks = MEMORY * this.looks + 1;
    this.gain = MEMORY * this.gain + gain;
    const rate = cost < this.cost ? FALL : RISE;
    this.cost = Number.isFinite(this.cost) ? this.cost + rate * (cost - this.cost) : cost;
  }

  /** The same rate, as if so many looks had shown it; what was lost to wrong drafts the calibrator has learnt from. */
  asSeenIn(looks: number): Earnings {
    const scaled = new Earnings();
    const share = Math.min(1, looks / Math.max(1, this.looks));
    scaled.looks = share * this.looks;
    scaled.gain = share * Math.max(0, this.gain);
    return scaled;
  }
}

export class LookingPace {
  readonly #all: Earnings;
  readonly #own: Earnings;
  #rest = 0;
  /** Steps without a look since the last one. */
  #rested = 0;

  /** `all` are the earnings of all sequences, which it adds to. */
  constructor(all: Earnings) {
    this.#all = all;
    this.#own = all.asSeenIn(TRIAL);
  }

  /** True while looking does not pay. */
  get isResting(): boolean {
    const { looks, gain } = this.#own;
    return looks >= TRIAL - 1 && gain + (BEARABLE - this.#all.cost) * looks < 0;
  }

  /** Whether the next step looks. */
  get isDue(): boolean {
    return !this.isResting || this.#rested >= this.#rest;
  }

  /** A step without a look. */
  skip(): void {
    this.#rested++;
  }

  /** A step with one; `wasRight` if what it found came, though it need not have been worth drafting. */
  look(gain: number, cost: number, wasRight: boolean): void {
    this.#own.add(gain, cost);
    this.#all.add(gain, cost);
    this.#rested = 0;
    if (gain > FIND) this.#rest = 0;
    else if (wasRight) this.#rest = Math.floor(this.#rest / 2);
    else this.#rest = Math.min(LONGEST_REST, Math.max(1, 2 * this.#rest));
  }
}
