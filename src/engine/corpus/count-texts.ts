import { countPairs } from '../../decoding/speculative/sources/ngram-source.js';
import { TrigramStore } from '../../decoding/speculative/trigram-store.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

export interface CountedTexts {
  readonly trigrams: TrigramStore;
  readonly tokens: number;
  /** Tokens that follow another one. */
  readonly following: number;
}

/**
 * Slides over each text (ADED, arXiv 2407.12021: the initial store), within `maxBytes` however many come. What is
 * spelled like a control token counts as the text that it is.
 */
export async function countTexts(
  texts: AsyncIterable<string>,
  tokenizer: Pick<Tokenizer, 'encode'>,
  maxBytes: number,
): Promise<CountedTexts> {
  const trigrams = new TrigramStore(maxBytes);
  let tokens = 0;
  let following = 0;
  for await (const text of texts) {
    const ids = tokenizer.encode(text, { addSpecialTokens: false, parseSpecialTokens: false });
    countPairs(trigrams, ids);
    tokens += ids.length;
    following += Math.max(0, ids.length - 1);
  }
  return { trigrams, tokens, following };
}
