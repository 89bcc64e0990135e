/**
 * What is taken from `@huggingface/tokenizers`: normalizers, BPE, and the translation of Oniguruma patterns.
 * Its declarations do not resolve under NodeNext, so the parts in use are described here.
 */

import { Tokenizer as Package } from '@huggingface/tokenizers';
import { damaged, type Stage, type TokenizerFile, unsupported } from './tokenizer-files.js';

interface Opened {
  readonly normalizer: { normalize(text: string): string } | null;
  readonly pre_tokenizer: { readonly pattern: RegExp | null } | null;
  readonly model: {
    _call(pieces: string[]): string[];
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id: number | undefined;
  };
}

/** Those that the package implements as the reference does. */
const NORMALIZERS = ['Sequence', 'NFC', 'NFD', 'NFKC', 'NFKD', 'Replace', 'Prepend', 'Strip', 'Lowercase'];
const EMPTY_MODEL = { type: 'BPE', vocab: {}, merges: [] };

export interface Model {
  normalize(text: string): string;
  /** Pieces that the pre-tokenizer cut to ids. */
  encode(pieces: string[]): number[];
}

export function openModel(file: TokenizerFile): Model {
  if (file.model.type !== 'BPE') throw unsupported('model', file.model.type, 'BPE');
  checkNormalizer(file.normalizer);
  const { normalizer, model } = open({ normalizer: file.normalizer ?? null, model: file.model });
  const unknown = model.unk_token_id ?? [];
  return {
    normalize: (text) => (normalizer === null || text === '' ? text : normalizer.normalize(text)),
    encode: (pieces) => model._call(pieces).flatMap((token) => model.tokens_to_ids.get(token) ?? unknown),
  };
}

/** Patterns in `tokenizer.json` are written for Oniguruma; throws `invalid_checkpoint` if one has no translation. */
export function translatePattern(source: string): RegExp {
  const split = { type: 'Split', pattern: { Regex: source }, behavior: 'Isolated', invert: false };
  const pattern = open({ pre_tokenizer: split, model: EMPTY_MODEL }).pre_tokenizer?.pattern;
  if (!pattern) throw damaged('tokenizer.json', `the pattern ${source} does not compile`);
  return pattern;
}

function open(parts: Readonly<Record<string, unknown>>): Opened {
  const absent = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
  };
  try {
    return new Package({ ...absent, ...parts }, {});
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
