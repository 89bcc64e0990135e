/** How a grammar sees the tokens of a model. */

import { CONTROL_BYTE, type VocabularySource } from '../../decoding/grammar/vocabulary.js';
import type { Tokenizer } from './tokenizer.js';

/** `size` is the number of logits, which may be more than the tokenizer knows. */
export function vocabularySource(
  tokenizer: Tokenizer,
  size: number,
  eosTokenIds: readonly number[],
): VocabularySource {
  return { size, eosTokenIds, bytes: (id) => spelling(tokenizer, id) };
}

/** A control token is no text, but a grammar can ask for it by name. */
function spelling(tokenizer: Tokenizer, id: number): Uint8Array {
  if (id >= tokenizer.vocabSize) return new Uint8Array(0);
  if (!tokenizer.specialTokenIds.has(id)) return tokenizer.tokenBytes(id);
  return Buffer.concat([Uint8Array.of(CONTROL_BYTE), Buffer.from(tokenizer.tokenPiece(id), 'utf8')]);
}
