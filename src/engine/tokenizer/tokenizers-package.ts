/**
 * What is taken from `@huggingface/tokenizers`: normalizers and the translation of Oniguruma patterns. Its BPE
 * is not, which spells every pair as JSON and takes seconds for a long word. Its declarations do not resolve
 * under NodeNext, so the parts in use are described here.
 */

import { Tokenizer as Package } from '@huggingface/tokenizers';
import { damaged, type Stage, unsupported } from './tokenizer-files.js';

interface Opened {
  readonly normalizer: { normalize(text: string): string } | null;
  readonly pre_tokenizer: { readonly pattern: RegExp | null } | null;
}

/** Those that the package implements as the reference does. */
const NORMALIZERS = ['Sequence', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Replace', 'Prepend', 'Strip', 'Lowercase'];

export function makeNormalizer(stage: Stage | null | undefined): (text: string) => string {
  checkNormalizer(stage);
  const { normalizer } = open({ normalizer: stage ?? null });
  return (text) => (normalizer === null || text === '' ? text : normalizer.normalize(text));
}

/** Patterns in `tokenizer.json` are written for Oniguruma; throws `invalid_checkpoint` if one has no translation. */
export function translatePattern(source: string): RegExp {
  const split = { type: 'Split', pattern: { Regex: source }, behavior: 'Isolated', invert: false };
  const pattern = open({ pre_tokenizer: split }).pre_tokenizer?.pattern;
  if (!pattern) throw damaged('tokenizer.json', `the pattern ${source} does not compile`);
  return pattern;
}

/** The package opens whole tokenizers only; the stages that are not asked for stay empty. */
function open(stages: Readonly<Record<string, unknown>>): Opened {
  const absent = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
  };
  try {
    return new Package({ ...absent, model: { type: 'BPE', vocab: {}, merges: [] }, ...stages }, {});
  } catch (cause) {
    throw damaged('tokenizer.json', cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function checkNormalizer(stage: Stage | null | undefined): void {
  if (!stage) return;
  if (!NORMALIZERS.includes(stage.type)) throw unsupported('normalizer', stage.type, NORMALIZERS.join(', '));
  if (stage.type === 'Sequence' && Array.isArray(stage.normalizers))
    stage.normalizers.forEach(checkNormalizer);
}
