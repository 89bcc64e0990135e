/**
 * A byte-level BPE tokenizer of a given vocabulary size: 256 bytes, merges of letter pairs, filler tokens that
 * no text reaches but every sampled id decodes to, and one end-of-text token, the last id.
 */

export interface RandomTokenizer {
  /** Piece of each id. */
  readonly pieces: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
  readonly endOfText: { readonly id: number; readonly piece: string };
}

const letters = [...'abcdefghijklmnopqrstuvwxyz'];

export function randomTokenizer(vocabSize: number): RandomTokenizer {
  const merges = ['Ġ', ...letters].flatMap((first) => letters.map((second) => [first, second] as const));
  const pieces = [...byteSymbols(), ...merges.map(([first, second]) => first + second)];
  while (pieces.length < vocabSize - 1) pieces.push(`Ġfill${pieces.length.toString(36)}`);
  pieces.push('<|endoftext|>');
  return { pieces, merges, endOfText: { id: vocabSize - 1, piece: '<|endoftext|>' } };
}

/** The content of tokenizer.json. */
export function tokenizerJson({ pieces, merges, endOfText }: RandomTokenizer): object {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: endOfText.id,
        content: endOfText.piece,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      merges,
    },
  };
}

/** GPT-2's printable symbol for each byte: itself where visible, else the next code point from 256 on. */
function byteSymbols(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const visible = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCodePoint(visible ? byte : next++);
  });
}
