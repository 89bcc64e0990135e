import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DraftStores } from '../../../../src/decoding/speculative/draft-stores.js';
import { pruneStores } from '../../../../src/decoding/speculative/store-file.js';
import { SuffixIndex } from '../../../../src/decoding/speculative/suffix-index.js';
import { TokenPath } from '../../../../src/decoding/speculative/token-path.js';
import { ANY, TrigramStore } from '../../../../src/decoding/speculative/trigram-store.js';
import { sized } from '../../../helpers/full-size.js';
import { seededTokens } from '../../../helpers/seeded.js';

const MIB = 2 ** 20;
const path = (...tokens: number[]) => new TokenPath(tokens, []);

describe('TrigramStore', () => {
  it('counts like a map while there is room', () => {
    const store = new TrigramStore(4 * MIB);
    const tokens = seededTokens(1, 20_000, 12);
    const expected = new Map<string, number>();
    for (let i = 2; i < 3000; i++) {
      const [a, b, c] = tokens.slice(i - 2, i + 1) as [number, number, number];
      store.count(a, b, c);
      const key = `${a},${b},${c}`;
      expected.set(key, (expected.get(key) ?? 0) + 1);
    }
    for (let a = 0; a < 12; a++) {
      for (const { token, count } of store.following(a, 3))
        expect(count).toBe(expected.get(`${a},3,${token}`));
    }
    expect(store.following(ANY, 3)).toHaveLength(12);
    expect(store.following(50, 3)).toEqual([]);
  });

  it('stays within its size under millions of random commits, and keeps what is used', () => {
    const store = new TrigramStore(MIB);
    let state = 1;
    const next = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 12;
    };
    for (let i = 0; i < sized(2_000_000, 10_000_000); i++) {
      store.count(next(), next(), next());
      if (i % 20 === 0) store.count(1, 2, 3);
    }
    expect(store.bytes).toBeLessThanOrEqual(MIB);
    expect(store.evictions).toBeGreaterThan(1_000_000);
    expect(store.following(1, 2)).toMatchObject([{ token: 3 }]);
  }, 60_000);

  it('keeps rows small: the least counted entry goes, counts are halved', () => {
    const store = new TrigramStore(MIB);
    for (let token = 0; token < 40; token++) store.count(1, 2, token);
    for (let i = 0; i < 700; i++) store.count(1, 2, 7);
    const row = store.following(1, 2);
    expect(row).toHaveLength(12);
    expect(row.find(({ token }) => token === 7)!.count).toBeLessThan(512);
  });

  it('remembers the newest ranking of the model next to the counts', () => {
    const store = new TrigramStore(MIB);
    store.count(1, 2, 9);
    store.recycle(1, 2, [5, 6], [1, 0.5]);
    store.recycle(1, 2, [6, 4], [1, 0.1]);
    const ranked = Object.fromEntries(store.following(1, 2).map(({ token, recycled }) => [token, recycled]));
    expect(ranked).toEqual({ 9: 0, 5: 0, 6: 255, 4: 26 });
  });
});

describe('SuffixIndex', () => {
  it('finds the longest match and the longest with another continuation', () => {
    const index = new SuffixIndex(1000);
    index.append([1, 2, 3, 4, 5, 9, 9, 2, 3, 4, 5, 6, 8, 8]);
    const matches = index.find(path(0, 1, 2, 3, 4, 5));
    expect(matches.map(({ next, length }) => [index.at(next), length])).toEqual([
      [9, 5],
      [6, 4],
    ]);
    expect(index.find(path(7, 7))).toEqual([]);
  });

  it('never finds the end of the text itself, nor what the ring has dropped', () => {
    const index = new SuffixIndex(256);
    index.append([1, 2, 3, 4]);
    expect(index.find(path(1, 2, 3, 4))).toEqual([]);
    index.append([5, ...Array.from({ length: 400 }, (_, i) => 100 + i)]);
    expect(index.size).toBe(256);
    expect(index.find(path(1, 2, 3, 4))).toEqual([]);
    expect(index.find(path(300, 301, 302, 303)).map(({ next }) => index.at(next))).toEqual([304]);
  });

  it('agrees with a search through the whole text', () => {
    const text = seededTokens(3, 3000, 4);
    const index = new SuffixIndex(10_000);
    index.append(text);
    for (let from = 0; from < 200; from++) {
      const end = seededTokens(from + 50, 8, 4);
      const [best] = index.find(path(...end));
      const agreement = (place: number) => {
        let length = 0;
        while (length < 8 && text[place - length] === end.at(-1 - length)) length++;
        return length;
      };
      const longest = Math.max(...text.slice(0, -1).map((_, place) => agreement(place)));
      // Only some places are looked at, so a match may be shorter than the longest, but never wrong.
      expect(best!.length).toBeLessThanOrEqual(longest);
      expect(agreement(best!.next - 1)).toBe(best!.length);
    }
  });
});

describe('stores on disk', () => {
  const folders: string[] = [];
  const open = (folder: string, warnings: string[] = []) =>
    new DraftStores({
      bytes: 8 * MIB,
      historyTokens: 4096,
      folder,
      warn: (message) => warnings.push(message),
    });
  const temporary = () => {
    const folder = mkdtempSync(join(tmpdir(), 'drafts-'));
    folders.push(folder);
    return folder;
  };
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  function filled(folder: string): DraftStores {
    const stores = open(folder);
    const scope = stores.scope('a');
    for (let i = 0; i < 5000; i++) scope.trigrams.count(i % 70, i % 90, i % 11);
    scope.history.append(seededTokens(1, 6000, 500));
    scope.dirty = true;
    stores.save();
    return stores;
  }

  it('come back as they were', () => {
    const folder = temporary();
    const before = filled(folder).scope('a');
    const after = open(folder).scope('a');
    for (let i = 0; i < 70; i++) {
      expect(after.trigrams.following(i, i)).toEqual(before.trigrams.following(i, i));
    }
    expect(after.history.contents()).toEqual(before.history.contents());
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it.each<[string, (file: Buffer) => Buffer, string]>([
    ['random bytes', (file) => Buffer.from(file.map((_, i) => (i * 7919) % 256)), 'version'],
    ['another version', (file) => Buffer.concat([Buffer.from('TTDRAFT9'), file.subarray(8)]), 'version'],
    [
      'a flipped bit',
      (file) => Buffer.from(file.map((byte, i) => (i === 5000 ? byte ^ 1 : byte))),
      'checksum',
    ],
    ['a missing end', (file) => file.subarray(0, file.length - 1000), 'checksum'],
    ['nothing', () => Buffer.alloc(0), 'size'],
  ])('are ignored with a warning when they hold %s', (_, damage, reason) => {
    const folder = temporary();
    filled(folder);
    const file = join(folder, readdirSync(folder)[0]!);
    writeFileSync(file, damage(readFileSync(file)));
    const warnings: string[] = [];
    const stores = open(folder, warnings);
    expect(stores.scope('a').history.size).toBe(0);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(reason);
    // The next save mends it.
    stores.scope('a').dirty = true;
    stores.save();
    expect(open(folder, warnings).scope('a').history.size).toBe(0);
    expect(warnings).toHaveLength(1);
  });

  it('belong to one scope, and are not read for another of the same name', () => {
    const folder = temporary();
    filled(folder);
    expect(open(folder).scope('b').history.size).toBe(0);
  });

  it('do not stop the server where they cannot be written', () => {
    const folder = temporary();
    writeFileSync(join(folder, 'file'), '');
    const warnings: string[] = [];
    const stores = open(join(folder, 'file'), warnings);
    stores.scope('a').dirty = true;
    stores.save();
    expect(warnings.length).toBeGreaterThan(0);
  });

  it('take up a bounded room on disk and in memory', () => {
    const folder = temporary();
    const stores = open(folder);
    for (let i = 0; i < 400; i++) {
      const scope = stores.scope(`tenant ${i}`);
      for (let j = 0; j < 800; j++) scope.trigrams.count(i, j, j);
      scope.dirty = true;
    }
    stores.save();
    expect(stores.bytes).toBeLessThanOrEqual(8 * MIB);
    pruneStores(folder, MIB);
    const sizes = readdirSync(folder).map((name) => readFileSync(join(folder, name)).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(MIB);
  });
});
