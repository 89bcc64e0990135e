/**
 * What usually follows in the texts of a corpus. It speaks beside what the tenant was answered, not in its place:
 * counts of other texts would drown its own if they were added up, and the calibrator learns what either is worth.
 */

import type { Cursor, DraftSource, Proposals } from '../draft-source.js';
import type { TokenPath } from '../token-path.js';
import type { TrigramReader } from '../trigram-store.js';
import { proposeRows } from './ngram-source.js';

/** Features of a corpus stand apart from those of other sources in its slot. */
const FIRST_FEATURE = 256;

export class CorpusSource implements DraftSource {
  readonly name = 'corpus';
  readonly slot = 2;
  readonly #layers: readonly TrigramReader[];

  constructor(trigrams: TrigramReader) {
    this.#layers = [trigrams];
  }

  expand(path: TokenPath, _cursor: Cursor | undefined, into: Proposals): void {
    proposeRows(this.#layers, path, FIRST_FEATURE, into);
  }

  commit(): void {}
}
