/**
 * Prompt lookup (A. Saxena, 2023): the first place where the last three tokens (or two, or one) stood before, and
 * the ten tokens behind it.
 */

import type { DraftShape, PublishedMethod } from './published-method.js';

const LONGEST_KEY = 3;
const COPIED = 10;

export const promptLookup: PublishedMethod = {
  source: 'context',
  draft(tokens): DraftShape {
    for (let size = LONGEST_KEY; size >= 1; size--) {
      const at = placeOf(tokens, tokens.slice(-size));
      if (at < 0) continue;
      const found = tokens.slice(at + size, at + size + COPIED);
      return { tokens: found, parents: found.map((_, i) => i - 1) };
    }
    return { tokens: [], parents: [] };
  },
};

/** Of the first occurrence before the end, −1 if there is none. */
function placeOf(tokens: readonly number[], key: readonly number[]): number {
  for (let at = 0; at + key.length < tokens.length; at++) {
    if (key.every((token, i) => tokens[at + i] === token)) return at;
  }
  return -1;
}
