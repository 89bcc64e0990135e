import { statSync } from 'node:fs';
import { MAX_CORPUS_BYTES } from '../../decoding/speculative/corpus-file.js';

/** Why no corpus can be read from there, as far as the file system knows; undefined if it may be one. */
export function corpusProblem(path: string): string | undefined {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (!facts?.isFile()) return `there is no file ${path}`;
  if (facts.size <= MAX_CORPUS_BYTES) return undefined;
  return `${path} has ${facts.size} bytes, a corpus at most ${MAX_CORPUS_BYTES}`;
}
