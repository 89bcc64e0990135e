import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readCorpus, writeCorpus } from '../../../../src/decoding/speculative/corpus-file.js';
import { ANY, TrigramStore } from '../../../../src/decoding/speculative/trigram-store.js';
import { buildCorpus } from '../../../../src/engine/corpus/build-corpus.js';
import { countTexts } from '../../../../src/engine/corpus/count-texts.js';
import { vocabularyOf } from '../../../../src/engine/corpus/vocabulary.js';
import { loadTokenizer } from '../../../../src/engine/tokenizer/huggingface-tokenizer.js';
import { ByteTokenizer } from '../../../helpers/byte-tokenizer.js';
import { seededTokens } from '../../../helpers/seeded.js';

const MIB = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), 'corpus-'));
const fixture = (name: string) =>
  fileURLToPath(new URL(`../../../fixtures/tokenizers/${name}`, import.meta.url));
const gpt2 = fixture('gpt2-like');

function write(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

const build = (files: readonly string[], out: string) =>
  buildCorpus({ folder: gpt2, files, out, maxBytes: MIB, onBytes: () => {} });

describe('a corpus', () => {
  it('holds what the texts hold, and is written as a whole', async () => {
    const out = join(folder, 'whole.corpus');
    const text = 'the cat sat on the mat';
    const { tokens, bytes } = await build(
      [write('a.txt', text), write('b.jsonl', JSON.stringify({ text }))],
      out,
    );
    const tokenizer = await loadTokenizer(gpt2);
    const ids = tokenizer.encode(text, { addSpecialTokens: false, parseSpecialTokens: false });
    expect(tokens).toBe(2 * ids.length);
    const corpus = readCorpus(out, vocabularyOf(tokenizer));
    for (let i = 2; i < ids.length; i++) {
      const row = corpus.following(ids[i - 2]!, ids[i - 1]!);
      expect(row.find(({ token }) => token === ids[i])!.count).toBeGreaterThanOrEqual(2);
    }
    expect(corpus.following(ids[2]!, ids[1]!)).toEqual([]);
    expect(bytes).toBe(corpus.bytes);
    expect(statSync(out).size).toBeLessThan(bytes + 100);
  });

  it('of what is spelled like a control token is text', async () => {
    const encoded: unknown[] = [];
    const tokenizer = {
      encode: (_: string, options: unknown) => {
        encoded.push(options);
        return [1, 2];
      },
    };
    await countTexts(asStream(['<|im_end|>']), tokenizer, MIB);
    expect(encoded).toEqual([{ addSpecialTokens: false, parseSpecialTokens: false }]);
  });

  it('stays within its size, and keeps what comes again', async () => {
    async function* endless() {
      for (let i = 0; i < 3000; i++) {
        const words = seededTokens(i, 60, 20_000).map((token) => String.fromCharCode(0x4e00 + token));
        yield `${words.join('')}and so on`;
      }
    }
    const { trigrams } = await countTexts(endless(), new ByteTokenizer(), MIB);
    expect(trigrams.bytes).toBeLessThanOrEqual(MIB);
    expect(trigrams.evictions).toBeGreaterThan(1000);
    const [a, n, d] = [...Buffer.from('and')] as [number, number, number];
    const row = trigrams.following(a, n).toSorted((x, y) => y.count - x.count);
    expect(row[0]!.token).toBe(d);
    expect(row.length).toBeLessThanOrEqual(12);
  });

  it.each([
    ['nothing', ''],
    ['a single token', 'a'],
  ])('is not made of %s', async (_, text) => {
    const out = join(folder, 'none.corpus');
    await expect(build([write('none.txt', text)], out)).rejects.toThrow(
      /none\.txt: expected a text of two tokens/,
    );
    expect(existsSync(out)).toBe(false);
  });

  it('that was there before is left alone when the new one fails', async () => {
    const out = join(folder, 'old.corpus');
    await build([write('a.txt', 'one two three')], out);
    const before = readFileSync(out);
    await expect(build([write('c.jsonl', '"one two"\n{')], out)).rejects.toThrow(/c\.jsonl:2/);
    expect(readFileSync(out)).toEqual(before);
  });

  it('that cannot be written is told by its name', async () => {
    const out = join(write('file', ''), 'x.corpus');
    await expect(build([write('a.txt', 'one two three')], out)).rejects.toThrow(
      /x\.corpus cannot be written/,
    );
  });
});

describe('a corpus file', () => {
  const vocabulary = vocabularyOf(new ByteTokenizer());
  const written = (name: string, fill: (store: TrigramStore) => void): string => {
    const store = new TrigramStore(MIB);
    fill(store);
    writeCorpus(join(folder, name), vocabulary, store);
    return join(folder, name);
  };
  const good = written('good.corpus', (store) => store.count(1, 2, 3));

  it('is read for its vocabulary', () => {
    expect(readCorpus(good, vocabulary).following(ANY, 2)).toMatchObject([{ token: 3, count: 1 }]);
  });

  it('is not read for another, however alike', async () => {
    const others = await Promise.all(
      ['gpt2-like', 'llama2-like'].map((name) => loadTokenizer(fixture(name))),
    );
    const swapped = { vocabSize: 259, tokenPiece: (id: number) => new ByteTokenizer().tokenPiece(258 - id) };
    for (const tokenizer of [...others, swapped]) {
      const read = () => readCorpus(good, vocabularyOf(tokenizer));
      expect(read).toThrow(/good\.corpus is not used: its vocabulary is not what was expected/);
    }
  });

  it.each<[string, (file: Buffer) => Buffer, RegExp]>([
    ['another version', (file) => Buffer.concat([Buffer.from('TTDRAFT9'), file.subarray(8)]), /its version/],
    [
      'a flipped bit',
      (file) => Buffer.from(file.map((byte, i) => (i === 500 ? byte ^ 1 : byte))),
      /its checksum/,
    ],
    ['a missing end', (file) => file.subarray(0, file.length - 9), /its checksum/],
    ['nothing', () => Buffer.alloc(0), /its size/],
  ])('with %s says so', (_, damage, message) => {
    const file = join(folder, 'damaged.corpus');
    writeFileSync(file, damage(readFileSync(good)));
    expect(() => readCorpus(file, vocabulary)).toThrow(message);
  });

  it('that is whole but holds tokens beyond the vocabulary is refused', () => {
    const tooLarge = written('large.corpus', (store) => store.count(1, 2, 259));
    expect(() => readCorpus(tooLarge, vocabulary)).toThrow(/tokens that are not in the vocabulary/);
    const negative = written('negative.corpus', (store) => store.count(1, 2, -1));
    expect(() => readCorpus(negative, vocabulary)).toThrow(/tokens that are not in the vocabulary/);
    const overfull = written('full.corpus', (store) => store.tables.used.fill(13, 0, 1));
    expect(() => readCorpus(overfull, vocabulary)).toThrow(/tokens that are not in the vocabulary/);
  });

  it('that is gone is named', () => {
    expect(() => readCorpus(join(folder, 'gone'), vocabulary)).toThrow(
      /gone is not used: there is no such file/,
    );
  });
});

async function* asStream(texts: readonly string[]): AsyncGenerator<string> {
  yield* texts;
}
