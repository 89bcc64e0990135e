import { describe, expect, it } from 'vitest';
import { Calibrator } from '../../../../src/decoding/speculative/calibrator.js';
import {
  coarsened,
  completed,
  featureOf,
  featuresOf,
  withDefault,
} from '../../../../src/decoding/speculative/features.js';
import { HITS, TRIALS, TrialTable } from '../../../../src/decoding/speculative/trial-table.js';
import { seededTokens } from '../../../helpers/seeded.js';

describe('features', () => {
  it('keep what each slot said first, and take others where it was silent', () => {
    const said = withDefault(withDefault(withDefault(0, 1, 511), 1, 3), 0, 0);
    expect(completed(said, featuresOf(7, 8, 9))).toBe(featuresOf(0, 511, 9));
    expect(completed(0, 0)).toBe(featuresOf(0, 0, 0));
    expect(([0, 1, 2] as const).map((slot) => featureOf(featuresOf(4, 5, 6), slot))).toEqual([4, 5, 6]);
  });

  it('are another statement at each level', () => {
    const levels = [0, 1, 2, 3].map((level) => coarsened(featuresOf(0, 0, 0), level));
    expect(new Set(levels).size).toBe(4);
    expect(coarsened(featuresOf(1, 2, 3), 2)).toBe(coarsened(featuresOf(1, 2, 4), 2));
    expect(coarsened(featuresOf(1, 2, 3), 2)).not.toBe(coarsened(featuresOf(1, 3, 3), 2));
  });
});

describe('the table of trials', () => {
  it('counts like a map, however far it grows', () => {
    const table = new TrialTable();
    const expected = new Map<number, number>();
    for (const key of seededTokens(5, 60_000, 20_000)) {
      const cell = table.findOrAdd(key * 1024);
      table.cells[cell + TRIALS]!++;
      expected.set(key, (expected.get(key) ?? 0) + 1);
    }
    expect(table.size).toBe(expected.size);
    for (const [key, count] of expected) {
      const cell = table.find(key * 1024);
      expect([table.cells[cell + TRIALS], table.cells[cell + HITS]]).toEqual([count, 0]);
    }
    expect(table.find(1)).toBe(-1);
  });
});

describe('the calibrator', () => {
  it('believes the finest statement as far as there is evidence, and coarser ones before that', () => {
    const calibrator = new Calibrator();
    expect(calibrator.probability(featuresOf(1, 2, 3))).toBe(0.15);
    for (let i = 0; i < 100; i++) {
      calibrator.learn(featuresOf(1, 2, 3), true);
      calibrator.learn(featuresOf(1, 2, 4), i % 2 === 0);
      calibrator.learn(featuresOf(2, 0, 0), false);
    }
    expect(calibrator.probability(featuresOf(1, 2, 3))).toBeGreaterThan(0.95);
    expect(calibrator.probability(featuresOf(1, 2, 5))).toBeCloseTo(0.75, 1);
    expect(calibrator.probability(featuresOf(2, 0, 0))).toBeLessThan(0.05);
  });
});
