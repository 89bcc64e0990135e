/**
 * How likely a proposed token is to be the next one, learnt from what happened: hits among trials for what the
 * sources said together, shrunk towards coarser statements where there is little evidence,
 *
 *   p(all) ◄─ p(f0) ◄─ p(f0, f1) ◄─ p(f0, f1, f2)      p = (hits + s · p of the coarser) / (trials + s)
 *
 * Sources are judged jointly: the largest of separate probabilities would over-draft.
 */

import { FEATURE_LIMIT } from './draft-source.js';

/** One feature per slot. */
export type Features = readonly [number, number, number];

const PRIOR = 0.15;
/** Weight of the coarser level, from the global one down. */
const SHRINKAGE = [8, 6, 6, 6] as const;
/** Old evidence fades: cells are halved at so many trials. */
const MAX_TRIALS = 500;
/** Rare combinations beyond this many are forgotten together. */
const MAX_CELLS = 200_000;

interface Cell {
  hits: number;
  trials: number;
}

export class Calibrator {
  #cells = new Map<number, Cell>();

  /** The chance that the token with these features is committed, given that its parent is. */
  probability(features: Features): number {
    let p = PRIOR;
    for (let level = 0; level < SHRINKAGE.length; level++) {
      const cell = this.#cells.get(keyOf(level, features));
      if (cell === undefined) {
        if (level > 0) continue;
        return p;
      }
      p = (cell.hits + SHRINKAGE[level]! * p) / (cell.trials + SHRINKAGE[level]!);
    }
    return p;
  }

  /** `hit` says whether the token was committed; its parent was. */
  learn(features: Features, hit: boolean): void {
    if (this.#cells.size > MAX_CELLS) this.#cells = new Map();
    for (let level = 0; level < SHRINKAGE.length; level++) {
      const key = keyOf(level, features);
      let cell = this.#cells.get(key);
      if (cell === undefined) {
        cell = { hits: 0, trials: 0 };
        this.#cells.set(key, cell);
      }
      cell.trials++;
      if (hit) cell.hits++;
      if (cell.trials < MAX_TRIALS) continue;
      cell.hits /= 2;
      cell.trials /= 2;
    }
  }
}

/** Distinct per level: the features up to it, shifted by one so that an absent level is 0. */
function keyOf(level: number, features: Features): number {
  let key = 0;
  for (let slot = 0; slot < 3; slot++) {
    key = key * (FEATURE_LIMIT + 1) + (slot < level ? features[slot]! + 1 : 0);
  }
  return key;
}
