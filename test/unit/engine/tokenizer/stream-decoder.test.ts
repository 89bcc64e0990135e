import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../../../src/engine/tokenizer/huggingface-tokenizer.js';
import { StreamDecoder } from '../../../../src/engine/tokenizer/stream-decoder.js';
import { expectedText, fixturePath, tokenizerNames } from './text-fixtures.js';

const encoder = new TextEncoder();

/** One token per byte string. */
function decoderOf(tokens: readonly (string | number[])[], leadingSpaces = 0): StreamDecoder {
  const bytes = (id: number) => {
    const token = tokens[id]!;
    return typeof token === 'string' ? encoder.encode(token) : Uint8Array.from(token);
  };
  const text = (id: number) => (isUtf8(bytes(id)) ? Buffer.from(bytes(id)).toString() : undefined);
  return new StreamDecoder({ bytes, text, leadingSpaces, skipped: new Set() }, false);
}

describe.each(tokenizerNames)('streamed text of %s', async (name) => {
  const tokenizer = await loadTokenizer(fixturePath(`tokenizers/${name}`));

  it('joins to the decoded whole, is whole characters, and loses no byte of valid text, for any ids', () => {
    const ids = fc.array(fc.nat(tokenizer.vocabSize + 3), { maxLength: 30 });
    fc.assert(
      fc.property(ids, fc.boolean(), fc.boolean(), (ids, skipSpecialTokens, continuation) => {
        const options = { skipSpecialTokens, continuation };
        const stream = tokenizer.stream(options);
        const pieces = [...ids.map((id) => stream.push(id)), stream.finish()];
        for (const piece of pieces) expect(/\p{Surrogate}/u.test(piece)).toBe(false);
        expect(pieces.join('')).toBe(tokenizer.decode(ids, options));
        if (!skipSpecialTokens && continuation) {
          const bytes = Buffer.concat(ids.map((id) => tokenizer.tokenBytes(id)));
          expect(pieces.join('')).toBe(bytes.toString('utf8'));
        }
      }),
      { numRuns: 400 },
    );
  });

  it('gives back every text of the corpus, token by token', () => {
    for (const { text, plain } of expectedText(name).encodings) {
      const stream = tokenizer.stream({ skipSpecialTokens: false });
      const streamed = plain.map((id) => stream.push(id)).join('') + stream.finish();
      expect(streamed, text).toBe(tokenizer.decode(plain, { skipSpecialTokens: false }));
    }
  });
});

describe('StreamDecoder', () => {
  it('holds a character back until its last byte', () => {
    const decoder = decoderOf([[0xf0, 0x9f], [0x9a], [0xa2], 'x']);
    expect([0, 1, 2, 3].map((id) => decoder.push(id))).toEqual(['', '', '🚢', 'x']);
    expect(decoder.finish()).toBe('');
  });

  it('replaces bytes that can become no character as soon as that is known, and at the end', () => {
    const decoder = decoderOf([[0xe2, 0x82], 'a', [0xff], [0xc3]]);
    expect([0, 1, 2, 3].map((id) => decoder.push(id))).toEqual(['', '\ufffda', '\ufffd', '']);
    expect(decoder.finish()).toBe('\ufffd');
  });

  it('keeps a byte order mark, which is text like any other', () => {
    expect(decoderOf(['\ufeffa']).push(0)).toBe('\ufeffa');
  });

  it('takes only the first spaces off, even when they come alone', () => {
    const decoder = decoderOf([' ', ' a', ''], 1);
    expect([2, 0, 1].map((id) => decoder.push(id)).join('')).toBe(' a');
  });
});

describe('leading space of a SentencePiece-like tokenizer', async () => {
  const tokenizer = await loadTokenizer(fixturePath('tokenizers/llama2-like'));
  const ids = tokenizer.encode('the harbour', { addSpecialTokens: false, parseSpecialTokens: false });

  it('goes from a text of its own and stays in a continuation', () => {
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe('the harbour');
    expect(tokenizer.decode(ids, { skipSpecialTokens: true, continuation: true })).toBe(' the harbour');
  });
});
