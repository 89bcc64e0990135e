/**
 * What the three slots of sources say of a token, in one small integer, so that it costs no memory of its own: ten bits
 * for each slot, the first highest, with one more than the feature in them; 0 where the slot is silent.
 */

import type { Slot } from './draft-source.js';

export type Features = number;

const BITS = 10;
const SLOT = 2 ** BITS - 1;
/** What is left of features at each level: those of so many slots. */
const LEVELS = [0, SLOT << (2 * BITS), (SLOT << (2 * BITS)) | (SLOT << BITS), 2 ** (3 * BITS) - 1] as const;

export const LEVEL_COUNT = LEVELS.length;

/** Features of which all slots speak. */
export function featuresOf(first: number, second: number, third: number): Features {
  return ((first + 1) << (2 * BITS)) | ((second + 1) << BITS) | (third + 1);
}

export function featureOf(features: Features, slot: Slot): number {
  return ((features >>> shiftOf(slot)) & SLOT) - 1;
}

/** With the feature, unless the slot has one. */
export function withDefault(features: Features, slot: Slot, feature: number): Features {
  const shift = shiftOf(slot);
  return ((features >>> shift) & SLOT) === 0 ? features | ((feature + 1) << shift) : features;
}

/** Silent slots get what others have, or feature 0. */
export function completed(features: Features, others: Features): Features {
  let complete = features;
  for (let shift = 0; shift <= 2 * BITS; shift += BITS) {
    if (((complete >>> shift) & SLOT) === 0) complete |= others & (SLOT << shift) || 1 << shift;
  }
  return complete;
}

/** Those of the first `level` slots alone; distinct for each level. */
export function coarsened(features: Features, level: number): Features {
  return features & LEVELS[level]!;
}

const shiftOf = (slot: Slot): number => (2 - slot) * BITS;
