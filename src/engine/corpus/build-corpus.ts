/** From texts to the file that `models[].drafts.corpus` names. */

import { TrimtabError } from '../../core/errors.js';
import { writeCorpus } from '../../decoding/speculative/corpus-file.js';
import { loadTokenizer } from '../tokenizer/huggingface-tokenizer.js';
import { countTexts } from './count-texts.js';
import { readTexts } from './read-texts.js';
import { vocabularyOf } from './vocabulary.js';

export interface CorpusOptions {
  /** Checkpoint folder; its tokenizer is all that is read. */
  readonly folder: string;
  readonly files: readonly string[];
  readonly out: string;
  readonly maxBytes: number;
  /** Hears of all that is read. */
  onBytes(bytes: number): void;
}

export interface BuiltCorpus {
  readonly tokens: number;
  /** In memory, and about as many on disk. */
  readonly bytes: number;
}

/** Throws `invalid_config`, naming the file, for texts that cannot be read; nothing is written then. */
export async function buildCorpus({
  folder,
  files,
  out,
  maxBytes,
  onBytes,
}: CorpusOptions): Promise<BuiltCorpus> {
  const tokenizer = await loadTokenizer(folder);
  const { trigrams, tokens, following } = await countTexts(readTexts(files, onBytes), tokenizer, maxBytes);
  if (following === 0) {
    throw new TrimtabError('invalid_config', `${files.join(', ')}: expected a text of two tokens or more`);
  }
  try {
    writeCorpus(out, vocabularyOf(tokenizer), trigrams);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TrimtabError('invalid_config', `${out} cannot be written: ${reason}`, { cause });
  }
  return { tokens, bytes: trigrams.bytes };
}
