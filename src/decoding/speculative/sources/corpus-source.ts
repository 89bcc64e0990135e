/**
 * What usually follows in the texts of a corpus. It speaks beside what the tenant was answered, not in its place:
 * counts of other texts would drown its own if they were added up, and the calibrator learns what either is worth.
 */

import type { DraftSource, Expansion } from '../draft-source.js';
import type { TokenPath } from '../token-path.js';
import type { TrigramReader } from '../trigram-store.js';
import { readRows } from './ngram-source.js';

/** Features of a corpus stand apart from those of other sources in its slot. */
const FIRST_FEATURE = 256;

export class CorpusSource implements DraftSource {
  readonly name = 'corpus';
  readonly slot = 2;
  readonly #layers: readonly TrigramReader[];

  constructor(trigrams: TrigramReader) {
    this.#layers = [trigrams];
  }

  expand(path: TokenPath): Expansion {
    return readRows(this.#layers, path, FIRST_FEATURE);
  }

  commit(): void {}
}
