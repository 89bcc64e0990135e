import { describe, expect, it } from 'vitest';
import { argmax, firstAbove, maximum } from '../../../src/decoding/argmax.js';
import { peakRun } from '../../../src/decoding/logit-row.js';
import { likeliestTokens } from '../../../src/decoding/logprobs.js';
import { seededFloats } from '../../helpers/seeded.js';

const lengths = [0, 1, 7, 8, 9, 16, 23, 100, 1001];

/** With ties. */
const rowOf = (length: number): Float32Array => seededFloats(length, length, 20).map(Math.round);

const peaksOf = (row: Float32Array): Float32Array =>
  Float32Array.from({ length: Math.floor(row.length / peakRun) }, (_, run) =>
    Math.max(...row.subarray(run * peakRun, (run + 1) * peakRun)),
  );

describe('passes over a row', () => {
  it('find the first logit above a bound, wherever it is', () => {
    for (const length of lengths) {
      for (let place = 0; place < length; place++) {
        const row = new Float32Array(length);
        row[place] = 1;
        expect(firstAbove(row, 0, 0)).toBe(place);
        expect(firstAbove(row, place, 0)).toBe(place);
        expect(firstAbove(row, place + 1, 0)).toBe(length);
      }
      expect(firstAbove(new Float32Array(length), 0, 0)).toBe(length);
    }
  });

  it('find the largest, ties to the lower id', () => {
    for (const row of lengths.slice(1).map(rowOf)) {
      expect(maximum(row)).toBe(Math.max(...row));
      expect(argmax(row)).toBe(row.indexOf(Math.max(...row)));
    }
    expect(argmax(new Float32Array(20).fill(Number.NEGATIVE_INFINITY))).toBe(0);
    expect(maximum(new Float32Array(20).fill(Number.NEGATIVE_INFINITY))).toBe(Number.NEGATIVE_INFINITY);
  });

  it('find the same with peaks, and read only where they are high', () => {
    for (const length of [64, 65, 200, 1001]) {
      const row = rowOf(length);
      const peaks = peaksOf(row);
      for (let bound = -20; bound <= 20; bound++) {
        for (const from of [0, 1, 63, 64, 70]) {
          expect(firstAbove(row, from, bound, peaks)).toBe(firstAbove(row, from, bound));
        }
      }
      expect(argmax(row, peaks)).toBe(argmax(row));
      expect(likeliestTokens(row, 8, peaks)).toEqual(likeliestTokens(row, 8));
    }
    const hidden = new Float32Array(128).fill(5, 3, 4);
    expect(firstAbove(hidden, 0, 1, Float32Array.of(1, 1))).toBe(128);
    expect(firstAbove(hidden, 0, 1, Float32Array.of(Number.NaN, 1))).toBe(3);
  });

  it('refuse NaN at every place', () => {
    for (let place = 0; place < 20; place++) {
      const row = new Float32Array(20);
      row[place] = Number.NaN;
      expect(maximum(row)).toBeNaN();
      expect(() => argmax(row)).toThrow(/logits must be numbers/);
    }
  });

  it('rank the likeliest as a sort does', () => {
    for (const row of lengths.map(rowOf)) {
      const sorted = [...row.keys()].sort((a, b) => row[b]! - row[a]! || a - b);
      for (const count of [0, 1, 8, 30]) expect(likeliestTokens(row, count)).toEqual(sorted.slice(0, count));
    }
  });
});
