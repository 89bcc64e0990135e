/**
 * The base layer of the stores: tri-grams that were counted beforehand, in a store file whose scope is a vocabulary.
 * Every tenant reads it and nobody writes to it.
 */

import { readStore, writeStore } from './store-file.js';
import { SuffixIndex } from './suffix-index.js';
import type { TrigramReader, TrigramTables } from './trigram-store.js';
import { ROW_ENTRIES, type TrigramStore } from './trigram-store.js';

export const MAX_CORPUS_BYTES = 2 ** 30;

/** What token ids stand for; a corpus means nothing to another vocabulary. */
export interface Vocabulary {
  readonly hash: string;
  readonly size: number;
}

export function writeCorpus(path: string, vocabulary: Vocabulary, trigrams: TrigramStore): void {
  writeStore(path, scopeOf(vocabulary), { trigrams, history: new SuffixIndex(0) });
}

/** Throws an error that names the file and says what is wrong with it. */
export function readCorpus(path: string, vocabulary: Vocabulary): TrigramReader {
  const limits = { trigramBytes: MAX_CORPUS_BYTES, historyTokens: 0 };
  const store = readStore(path, scopeOf(vocabulary), limits, 'vocabulary');
  if (store === undefined) throw new Error(`${path} is not used: there is no such file`);
  if (!holdsTokens(store.trigrams.tables, vocabulary.size)) {
    throw new Error(`${path} is not used: it holds tokens that are not in the vocabulary`);
  }
  return store.trigrams;
}

const scopeOf = ({ hash, size }: Vocabulary): string => JSON.stringify(['corpus', hash, size]);

/** Files come from elsewhere, and what is drafted is looked up in the embedding table. */
function holdsTokens({ tokens, used }: TrigramTables, vocabulary: number): boolean {
  return used.every((entries, row) => {
    if (entries > ROW_ENTRIES) return false;
    const first = row * ROW_ENTRIES;
    for (let at = first; at < first + entries; at++) {
      if (tokens[at]! < 0 || tokens[at]! >= vocabulary) return false;
    }
    return true;
  });
}
