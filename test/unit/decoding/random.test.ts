import { describe, expect, it } from 'vitest';
import { philox4x32, RandomStream, randomSeed } from '../../../src/decoding/random.js';

const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, '0'));

describe('philox4x32', () => {
  it('gives the known answers of the Random123 distribution', () => {
    const ones = 0xffffffff;
    expect(hex(philox4x32([0, 0, 0, 0], 0, 0))).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']);
    expect(hex(philox4x32([ones, ones, ones, ones], ones, ones))).toEqual([
      '408f276d',
      '41c83b0e',
      'a20bc7c6',
      '6d5451fd',
    ]);
    expect(hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], 0xa4093822, 0x299f31d0))).toEqual(
      ['d16cfe09', '94fdcceb', '5001e420', '24126ea1'],
    );
  });
});

describe('RandomStream', () => {
  it('depends on seed, choice and position and on nothing else', () => {
    const forwards = Array.from({ length: 20 }, (_, position) => new RandomStream(42, 1).uniform(position));
    const stream = new RandomStream(42, 1);
    const backwards = Array.from({ length: 20 }, (_, at) => stream.uniform(19 - at)).reverse();
    expect(backwards).toEqual(forwards);
    const others = [new RandomStream(43, 1), new RandomStream(42, 0), new RandomStream(42 + 2 ** 32, 1)];
    for (const other of others) expect(other.uniform(0)).not.toBe(forwards[0]);
  });

  it('accepts negative and very large seeds', () => {
    for (const seed of [-1, 2 ** 53, -(2 ** 62), 2 ** 63 - 1024]) {
      const u = new RandomStream(seed, 0).uniform(0);
      expect(u).toBeGreaterThanOrEqual(0);
      expect(u).toBeLessThan(1);
    }
  });

  it.each([
    ['positions', (i: number) => new RandomStream(7, 0).uniform(i)],
    ['seeds', (i: number) => new RandomStream(i, 0).uniform(0)],
    ['choices', (i: number) => new RandomStream(7, i).uniform(3)],
  ])('is uniform and uncorrelated along %s', (_, draw) => {
    const count = 40_000;
    const cells = new Array<number>(64).fill(0);
    let lagProduct = 0;
    let previous = 0.5;
    for (let i = 0; i < count; i++) {
      const u = draw(i);
      cells[Math.floor(u * 64)]! += 1;
      lagProduct += (u - 0.5) * (previous - 0.5);
      previous = u;
    }
    const expected = count / 64;
    const chiSquare = cells.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(103.4); // 63 degrees of freedom, p = 0.001
    expect(Math.abs(lagProduct / count) * 12).toBeLessThan(4 / Math.sqrt(count));
  });
});

describe('randomSeed', () => {
  it('is a safe integer and differs from call to call', () => {
    const seeds = new Set(Array.from({ length: 100 }, randomSeed));
    expect(seeds.size).toBe(100);
    for (const seed of seeds) expect(Number.isSafeInteger(seed)).toBe(true);
  });
});
