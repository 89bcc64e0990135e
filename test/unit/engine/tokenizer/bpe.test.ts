import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../../../src/decoding/random.js';
import { Bpe } from '../../../../src/engine/tokenizer/bpe.js';

const vocab = Object.fromEntries(
  ['<unk>', 'a', 'b', 'c', 'ab', 'bc', 'aa', 'aab', 'abc', '<0xC3>'].map((t, id) => [t, id]),
);
const merges: (string | [string, string])[] = ['a b', ['a', 'a'], 'b c', 'ab c', 'a ab'];
const options = {
  type: 'BPE',
  unk_token: '<unk>',
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
};
const bpe = (more: object = {}) => new Bpe({ ...options, vocab, merges, ...more });

/** The definition: look through the whole word for the earliest merge, join it, start over. */
function plainBpe(word: string): number[] {
  const ranks = new Map(
    merges.map((merge, rank) => [typeof merge === 'string' ? merge : merge.join(' '), rank]),
  );
  const symbols = Array.from(word);
  for (;;) {
    let best = -1;
    let bestRank = Number.POSITIVE_INFINITY;
    for (let at = 0; at + 1 < symbols.length; at++) {
      const rank = ranks.get(`${symbols[at]} ${symbols[at + 1]}`) ?? Number.POSITIVE_INFINITY;
      if (rank < bestRank) [best, bestRank] = [at, rank];
    }
    if (best < 0) return symbols.map((symbol) => vocab[symbol]!);
    symbols.splice(best, 2, symbols[best]! + symbols[best + 1]!);
  }
}

describe('Bpe', () => {
  it('merges as the definition does, on random words', () => {
    const model = bpe();
    const random = new RandomStream(5, 0);
    for (let i = 0; i < 2000; i++) {
      const length = 1 + Math.floor(random.uniform(100 * i) * 24);
      const word = Array.from(
        { length },
        (_, at) => 'abc'[Math.floor(random.uniform(100 * i + 1 + at) * 3)],
      ).join('');
      expect(model.encode(word), word).toEqual(plainBpe(word));
    }
  });

  it('puts the unknown token for characters without one, once for a run of them if told to fuse', () => {
    expect(bpe().encode('aéßb')).toEqual([1, 0, 0, 2]);
    expect(bpe({ fuse_unk: true }).encode('aéßbé')).toEqual([1, 0, 2, 0]);
    expect(bpe({ unk_token: null }).encode('aéc')).toEqual([1, 3]);
  });

  it('falls back to bytes only if there is a token for each', () => {
    expect(bpe({ byte_fallback: true }).encode('é')).toEqual([0]);
    const withByte = { ...vocab, '<0xA9>': 10 };
    expect(bpe({ byte_fallback: true, vocab: withByte }).encode('é')).toEqual([9, 10]);
  });

  it.each(['a', 'a b c', 'a z', 'c a'])('refuses the merge "%s" by its place', (merge) => {
    const error = { code: 'invalid_checkpoint', message: expect.stringContaining('model.merges.5') };
    expect(() => bpe({ merges: [...merges, merge] })).toThrow(expect.objectContaining(error));
  });

  it.each(['dropout', 'end_of_word_suffix', 'continuing_subword_prefix'])('refuses %s', (name) => {
    expect(() => bpe({ [name]: 'x' })).toThrow(expect.objectContaining({ code: 'unsupported_model' }));
  });
});
