/** How a grammar sees the tokens of a model. */

import { CONTROL_BYTE, type VocabularySource } from '../../decoding/grammar/vocabulary.js';
import type { Tokenizer } from './tokenizer.js';

const NO_BYTES = new Uint8Array(0);

/** `size` is the number of logits, which may be more than the tokenizer knows. */
export function vocabularySource(
  tokenizer: Tokenizer,
  size: number,
  eosTokenIds: readonly number[],
): VocabularySource {
  return { size, eosTokenIds, bytes: (id) => spelling(tokenizer, id) };
}

/** Byte vocabularies have a token for every byte, also for those that no text contains. */
function withoutControlByte(bytes: Uint8Array): Uint8Array {
  return bytes.includes(CONTROL_BYTE) ? NO_BYTES : bytes;
}

/** A control token is no text, but a grammar can ask for it by name. */
function spelling(tokenizer: Tokenizer, id: number): Uint8Array {
  if (id >= tokenizer.vocabSize) return NO_BYTES;
  if (!tokenizer.specialTokenIds.has(id)) return withoutControlByte(tokenizer.tokenBytes(id));
  return Buffer.concat([Uint8Array.of(CONTROL_BYTE), Buffer.from(tokenizer.tokenPiece(id), 'utf8')]);
}
