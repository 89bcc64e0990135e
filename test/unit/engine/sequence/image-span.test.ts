import { describe, expect, it } from 'vitest';
import { embeddedRows, imageSpans, spanNames } from '../../../../src/engine/sequence/image-span.js';

const image = 9;
const seen = (key: string, ...values: number[]) => ({
  key,
  tokenId: image,
  rows: Float32Array.from(values.flatMap((value) => [value, -value])),
});

describe('imageSpans', () => {
  it('should give each run of placeholders the next rows', () => {
    const spans = imageSpans([1, image, image, 2, image, 3], [seen('a', 10, 11), seen('b', 20)], 2);
    expect(spans.map(({ start, length, key }) => ({ start, length, key }))).toEqual([
      { start: 1, length: 2, key: 'a+0' },
      { start: 4, length: 1, key: 'b+0' },
    ]);
    expect([...spans[0]!.rows, ...spans[1]!.rows]).toEqual([10, -10, 11, -11, 20, -20]);
  });

  it('should split an image whose placeholders stand apart, and part images that touch', () => {
    const spans = imageSpans([image, 1, image, image, image], [seen('a', 1, 2, 3), seen('b', 4)], 2);
    expect(spans.map(({ start, length, key }) => [start, length, key])).toEqual([
      [0, 1, 'a+0'],
      [2, 2, 'a+1'],
      [4, 1, 'b+0'],
    ]);
  });

  it('should give videos the places of their own token, in the order of the prompt', () => {
    const film = { ...seen('film', 5, 6), tokenId: 8 };
    const spans = imageSpans([8, 8, 1, image, image], [seen('a', 1, 2), film], 2);
    expect(spans.map(({ start, length, key }) => [start, length, key])).toEqual([
      [0, 2, 'film+0'],
      [3, 2, 'a+0'],
    ]);
  });

  it.each([[[image, image]], [[1, 2]], [[image, image, image, image]]])(
    'should refuse %j for three rows',
    (ids) => {
      expect(() => imageSpans(ids, [seen('a', 1, 2, 3)], 2)).toThrow(/image tokens for 3 rows/);
    },
  );
});

describe('embeddedRows', () => {
  const spans = imageSpans([1, image, image, image, 2, image], [seen('a', 1, 2, 3), seen('b', 4)], 2);

  it('should give every chunk of a prompt the rows that it holds', () => {
    for (const size of [1, 2, 3, 4, 6]) {
      const placed = new Float32Array(12);
      for (let from = 0; from < 6; from += size) {
        for (const { firstRow, values } of embeddedRows(spans, from, Math.min(size, 6 - from))) {
          placed.set(values, (from + firstRow) * 2);
        }
      }
      expect([...placed]).toEqual([0, 0, 1, -1, 2, -2, 3, -3, 0, 0, 4, -4]);
    }
  });

  it('should count from the row of its lane', () => {
    expect(embeddedRows(spans, 5, 1, 3)).toEqual([{ firstRow: 3, values: Float32Array.of(4, -4) }]);
    expect(embeddedRows(spans, 4, 1, 3)).toEqual([]);
  });
});

describe('spanNames', () => {
  const names = (ids: number[], from: number, to: number, ...keys: string[]) =>
    spanNames(
      imageSpans(
        ids,
        keys.map((key) => seen(key, 1, 2)),
        2,
      ),
      from,
      to,
    );

  it('should differ for another image, another place and another part of it', () => {
    const ids = [1, image, image, 2];
    const all = [
      names(ids, 0, 4, 'a'),
      names(ids, 0, 4, 'b'),
      names(ids, 0, 2, 'a'),
      names(ids, 2, 4, 'a'),
      names([image, image, 1, 2], 0, 4, 'a'),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  it('should be empty for text', () => {
    expect(names([1, image, image, 2], 3, 4, 'a')).toBe('');
  });
});
