/**
 * What followed the last time the text ended like this: in the sequence itself (`context`) or in earlier answers
 * to the same tenant (`history`).
 */

import type { Cursor, DraftSource, Proposals, Slot } from '../draft-source.js';
import type { SuffixIndex } from '../suffix-index.js';
import type { TokenPath } from '../token-path.js';

export class SuffixSource implements DraftSource {
  constructor(
    readonly name: 'context' | 'history',
    readonly slot: Slot,
    private readonly index: SuffixIndex,
    /** False if the index is fed by others. */
    private readonly feeds: boolean,
  ) {}

  expand(path: TokenPath, cursor: Cursor | undefined, into: Proposals): void {
    if (cursor !== undefined && this.index.at(cursor.at) >= 0) {
      this.#propose(cursor.at, cursor.length, 0, into);
      into.otherwise(otherwise(cursor.length));
      return;
    }
    const matches = this.index.find(path);
    for (let rank = 0; rank < matches.length; rank++) {
      const { next, length } = matches[rank]!;
      this.#propose(next, length, rank, into);
      if (rank === 0) into.otherwise(otherwise(length));
    }
  }

  commit(tokens: readonly number[], from: number): void {
    if (this.feeds) this.index.append(tokens, from);
  }

  #propose(at: number, length: number, rank: number, into: Proposals): void {
    const feature = 1 + 3 * lengthBucket(length) + rank;
    into.propose(this.index.at(at), feature, { at: at + 1, length: length + 1 });
  }
}

/** Some token, while the match says another. */
const otherwise = (length: number): number => 1 + 3 * lengthBucket(length) + 2;

/** 0, 1, 2, 3, 4, 5–6, 7–9, 10–15, 16 and more. */
export function lengthBucket(length: number): number {
  if (length <= 4) return length;
  if (length <= 6) return 5;
  if (length <= 9) return 6;
  return length <= 15 ? 7 : 8;
}
