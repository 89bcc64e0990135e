/**
 * The caller's own guess at the answer (`prediction`). It is read from the start; where the answer leaves it, the
 * place is found again by the longest match, preferably further on.
 */

import type { Cursor, DraftSource, Expansion } from '../draft-source.js';
import { nothing } from '../draft-source.js';
import { SuffixIndex } from '../suffix-index.js';
import type { TokenPath } from '../token-path.js';
import { lengthBucket } from './suffix-source.js';

/** Features of predictions stand apart from those of other sources in their slot. */
const FIRST_FEATURE = 32;
/** Tokens that must agree to find the place again. */
const RESYNC = 2;
/** A guess that was followed from the start counts as a match of this length. */
const FROM_THE_START = 10;

export class PredictionSource implements DraftSource {
  readonly name = 'prediction';
  readonly slot = 0;
  readonly #index: SuffixIndex;
  /** Where the committed answer stands in the guess. */
  #cursor: Cursor | undefined = { at: 0, length: FROM_THE_START };

  constructor(prediction: readonly number[]) {
    this.#index = new SuffixIndex(prediction.length);
    this.#index.append(prediction);
  }

  expand(path: TokenPath, cursor: Cursor | undefined): Expansion {
    const place = path.drafted.length === 0 ? (this.#cursor ?? this.#resync(path)) : cursor;
    const token = place === undefined ? -1 : this.#index.at(place.at);
    if (place === undefined || token < 0) return nothing;
    const feature = FIRST_FEATURE + 2 * lengthBucket(place.length);
    const next = { at: place.at + 1, length: place.length + 1 };
    return { proposals: [{ token, feature, cursor: next }], otherwise: feature + 1 };
  }

  commit(tokens: readonly number[]): void {
    for (const token of tokens) {
      const cursor = this.#cursor;
      const agrees = cursor !== undefined && this.#index.at(cursor.at) === token;
      this.#cursor = agrees ? { at: cursor.at + 1, length: cursor.length + 1 } : undefined;
    }
  }

  #resync(path: TokenPath): Cursor | undefined {
    const [best] = this.#index.find(path).filter(({ length }) => length >= RESYNC);
    this.#cursor = best === undefined ? undefined : { at: best.next, length: best.length };
    return this.#cursor;
  }
}
