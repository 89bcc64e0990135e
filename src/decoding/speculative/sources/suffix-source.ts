/**
 * What followed the last time the text ended like this: in the sequence itself (`context`) or in earlier answers
 * to the same tenant (`history`).
 */

import type { Cursor, DraftSource, Expansion, Proposal, Slot } from '../draft-source.js';
import { nothing } from '../draft-source.js';
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

  expand(path: TokenPath, cursor: Cursor | undefined): Expansion {
    const next = cursor === undefined ? -1 : this.index.at(cursor.at);
    if (next >= 0) return { proposals: [this.#proposal(cursor!, 0)], otherwise: otherwise(cursor!.length) };
    const matches = this.index.find(path);
    if (matches.length === 0) return nothing;
    const proposals = matches.map((match, rank) =>
      this.#proposal({ at: match.next, length: match.length }, rank),
    );
    return { proposals, otherwise: otherwise(matches[0]!.length) };
  }

  commit(tokens: readonly number[]): void {
    if (this.feeds) this.index.append(tokens);
  }

  #proposal({ at, length }: Cursor, rank: number): Proposal {
    const feature = 1 + 3 * lengthBucket(length) + rank;
    return { token: this.index.at(at), feature, cursor: { at: at + 1, length: length + 1 } };
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
