/**
 * Where drafted tokens come from. A source knows one sequence (and perhaps what outlives it), is asked node by
 * node what may follow, and hears what was committed. It never sees random numbers or chooses: how likely its
 * words are is the calibrator's business, how many of them are worth verifying the cost model's.
 */

import type { DraftSourceName } from '../../core/efficiency.js';
import { draftSources } from '../../core/efficiency.js';
import type { TokenPath } from './token-path.js';

export { draftSources as sourceNames };
export type SourceName = DraftSourceName;

/** A place in what a source has stored: the token that comes next there, and how many before it agreed. */
export interface Cursor {
  readonly at: number;
  readonly length: number;
}

/** Takes what sources say of one place in a draft; nothing is kept of them but that, so nothing is made for it. */
export interface Proposals {
  /** The tokens that a grammar allows here, as `TokenConstraint.allowed`; undefined for all. */
  readonly allowed: Uint32Array | undefined;
  /**
   * A token that may come, once per source. The calibrator learns about `feature`, a small integer of the source's own
   * making, below `FEATURE_LIMIT`; `cursor` is where the source stands if the draft goes on with this token.
   */
  propose(token: number, feature: number, cursor?: Cursor): void;
  /** The feature of every token that the source does not propose here; those of a slot listen to its first source. */
  otherwise(feature: number): void;
}

/** Which of the calibrator's three features a source speaks for; lower ones are trusted on less evidence. */
export type Slot = 0 | 1 | 2;

/** Features of a source are below this. */
export const FEATURE_LIMIT = 512;

/** The likeliest tokens of one row of logits, best first. */
export interface RankedRow {
  readonly tokens: readonly number[];
  /** `exp(logit − largest)`, in (0, 1]. */
  readonly weights: readonly number[];
}

export interface DraftSource {
  readonly name: SourceName;
  readonly slot: Slot;
  /** What may follow `path`; `cursor` is that of the path's last token, absent where the source did not propose it. */
  expand(path: TokenPath, cursor: Cursor | undefined, into: Proposals): void;
  /** The tokens of the sequence, of which those from number `from` on are new. */
  commit(tokens: readonly number[], from: number): void;
}

/** Sources as bits of a number. */
export function sourceBit(name: SourceName): number {
  return 1 << draftSources.indexOf(name);
}
