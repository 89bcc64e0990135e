import { describe, expect, it } from 'vitest';
import { argmax, firstAbove, maximum } from '../../../src/decoding/argmax.js';
import { likeliestTokens } from '../../../src/decoding/logprobs.js';
import { seededFloats } from '../../helpers/seeded.js';

const lengths = [0, 1, 7, 8, 9, 16, 23, 100, 1001];

/** With ties. */
const rowOf = (length: number): Float32Array => seededFloats(length, length, 20).map(Math.round);

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
