/**
 * The caller's own guess at the answer (`prediction`), read from the start. Where the answer leaves it, the guess is
 * supposed to go on behind the token that was wrong, or with it; a longer match elsewhere finds it again after more.
 *
 *   guess    the quick brown fox jumps over        answer   the quick red …
 *                            ▲ replaced one token: goes on with "fox"
 *                      ▲ put one in: goes on with "brown"
 *
 * A guess may have several readings (with and without a leading space): the first is the whole of it, the others
 * are beginnings that lead into the first. All of them lie in one index, each with an end behind it.
 */

import type { Cursor, DraftSource, Proposals } from '../draft-source.js';
import { SuffixIndex } from '../suffix-index.js';
import type { TokenPath } from '../token-path.js';
import { lengthBucket } from './suffix-source.js';

/** Features of predictions stand apart from those of other sources in their slot. */
const FIRST_FEATURE = 32;
/** Of places that are only supposed: by how many tokens in a row were wrong, and for a token that was put in. */
const SUPPOSED_FEATURE = 52;
const PUT_IN_FEATURE = 58;
/** Tokens that must agree to find the place again, and so many that no other place is supposed. */
const RESYNC = 2;
const CERTAIN = 4;
/** Wrong tokens in a row after which no place is supposed any more. */
const MAX_MISSED = 3;
/** A guess that was followed from the start counts as a match of this length. */
const FROM_THE_START = 10;
/** Behind each reading; no token has this number, and none is proposed. */
const END = -3;

interface Place extends Cursor {
  readonly feature: number;
}

export class PredictionSource implements DraftSource {
  readonly name = 'prediction';
  readonly slot = 0;
  readonly #index: SuffixIndex;
  readonly #firstLength: number;
  /** Where the committed answer may stand in the guess, the likeliest first. */
  #places: readonly Place[];
  /** The place where it was lost, moving on with the answer. */
  #lost = 0;
  /** Tokens since then. */
  #missed = 0;

  constructor(readings: readonly (readonly number[])[]) {
    const text = readings.flatMap((reading) => [...reading, END]);
    this.#index = new SuffixIndex(text.length);
    this.#index.append(text);
    this.#firstLength = readings[0]?.length ?? 0;
    const ends = readings.map((_, i) =>
      readings.slice(0, i).reduce((sum, { length }) => sum + length + 1, 0),
    );
    this.#places = ends.map((at) => placeOf(at, FROM_THE_START));
  }

  expand(path: TokenPath, cursor: Cursor | undefined, into: Proposals): void {
    if (path.drafted.length > 0) {
      if (cursor !== undefined) this.#propose([placeOf(cursor.at, cursor.length)], into);
      return;
    }
    if (this.#places.length === 0) this.#places = this.#findAgain(path);
    this.#propose(this.#places, into);
  }

  commit(tokens: readonly number[], from = 0): void {
    for (let i = from; i < tokens.length; i++) this.#follow(tokens[i]!);
  }

  /** Which position of the guess a proposal stood for, given its cursor. */
  positionOf({ at }: Cursor): number {
    const place = at - 1;
    return place < this.#firstLength ? place : place - this.#firstLength - 1;
  }

  #follow(token: number): void {
    const agreeing = this.#places.filter(({ at }) => this.#index.at(at) === token);
    this.#lost = this.#places[0]?.at ?? this.#lost + 1;
    this.#missed = agreeing.length > 0 ? 0 : this.#missed + 1;
    const next = agreeing.map(({ at, length }) => placeOf(at + 1, length + 1));
    this.#places = next.filter(({ at }) => this.#index.at(at) >= 0);
  }

  #propose(places: readonly Place[], into: Proposals): void {
    const proposed: number[] = [];
    for (const { at, length, feature } of places) {
      const token = this.#index.at(at);
      if (token < 0 || proposed.includes(token)) continue;
      proposed.push(token);
      into.propose(token, feature, { at: at + 1, length: length + 1 });
    }
    if (proposed.length > 0) into.otherwise(places[0]!.feature + 1);
  }

  #findAgain(path: TokenPath): Place[] {
    const [best] = this.#index.find(path).filter(({ length }) => length >= RESYNC);
    const found = best === undefined ? [] : [placeOf(best.next, best.length)];
    return (best?.length ?? 0) >= CERTAIN ? found : [...this.#supposed(path.fromEnd(0)), ...found];
  }

  /** The token that was lost was replaced by `last`, or left out, or `last` was put in before it. */
  #supposed(last: number): Place[] {
    if (this.#missed === 0 || this.#missed > MAX_MISSED) return [];
    const behind = this.#index.at(this.#lost + 1) === last ? this.#lost + 2 : this.#lost + 1;
    return [
      { at: behind, length: 0, feature: SUPPOSED_FEATURE + 2 * (this.#missed - 1) },
      { at: this.#lost, length: 0, feature: PUT_IN_FEATURE },
    ];
  }
}

function placeOf(at: number, length: number): Place {
  return { at, length, feature: FIRST_FEATURE + 2 * lengthBucket(length) };
}
