/**
 * How likely a proposed token is to be the next one, learnt from what happened: hits among trials for what the
 * sources said together, shrunk towards coarser statements where there is little evidence,
 *
 *   p(all) ◄─ p(f0) ◄─ p(f0, f1) ◄─ p(f0, f1, f2)      p = (hits + s · p of the coarser) / (trials + s)
 *
 * Sources are judged jointly: the largest of separate probabilities would over-draft.
 */

import { coarsened, type Features, LEVEL_COUNT } from './features.js';
import { HITS, TRIALS, TrialTable } from './trial-table.js';

const PRIOR = 0.15;
/** Weight of the coarser level, from the global one down. */
const SHRINKAGE = [8, 6, 6, 6] as const;
/** Old evidence fades: cells are halved at so many trials. */
const MAX_TRIALS = 500;
/** Rare combinations beyond this many are forgotten together. */
const MAX_CELLS = 200_000;

export class Calibrator {
  #cells = new TrialTable();

  /** The chance that the token with these features is committed, given that its parent is. */
  probability(features: Features): number {
    const { cells } = this.#cells;
    let p = PRIOR;
    for (let level = 0; level < LEVEL_COUNT; level++) {
      const cell = this.#cells.find(coarsened(features, level));
      if (cell < 0) {
        if (level > 0) continue;
        return p;
      }
      p = (cells[cell + HITS]! + SHRINKAGE[level]! * p) / (cells[cell + TRIALS]! + SHRINKAGE[level]!);
    }
    return p;
  }

  /** `hit` says whether the token was committed; its parent was. */
  learn(features: Features, hit: boolean): void {
    if (this.#cells.size > MAX_CELLS) this.#cells = new TrialTable();
    for (let level = 0; level < LEVEL_COUNT; level++) {
      const cell = this.#cells.findOrAdd(coarsened(features, level));
      const { cells } = this.#cells;
      cells[cell + TRIALS]!++;
      if (hit) cells[cell + HITS]!++;
      if (cells[cell + TRIALS]! < MAX_TRIALS) continue;
      cells[cell + HITS]! /= 2;
      cells[cell + TRIALS]! /= 2;
    }
  }
}
