import { createHash } from 'node:crypto';
import type { Vocabulary } from '../../decoding/speculative/corpus-file.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** By what its tokens are: copies of a tokenizer that were saved by other programs have the same. */
export function vocabularyOf(tokenizer: Pick<Tokenizer, 'vocabSize' | 'tokenPiece'>): Vocabulary {
  const size = tokenizer.vocabSize;
  const pieces = Array.from({ length: size }, (_, id) => tokenizer.tokenPiece(id));
  return { hash: createHash('sha256').update(JSON.stringify(pieces)).digest('hex'), size };
}
