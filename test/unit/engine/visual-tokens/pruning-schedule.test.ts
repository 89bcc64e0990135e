import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  pruningLayers,
  tokensEntering,
  visualAfter,
} from '../../../../src/engine/visual-tokens/pruning-schedule.js';

const times = (count: number, value: number): number[] => Array<number>(count).fill(value);

describe('pruning schedule', () => {
  it('gives the published counts for video and image', () => {
    expect(tokensEntering(28, 1568, 100, { first: 14, end: 22 })).toEqual([
      ...times(15, 1668),
      ...[1472, 1276, 1080, 884, 688, 492, 296],
      ...times(6, 100),
    ]);
    expect(tokensEntering(32, 72, 40, { first: 13, end: 21 })).toEqual([
      ...times(14, 112),
      ...[103, 94, 85, 76, 67, 58, 49],
      ...times(11, 40),
    ]);
  });

  it('scales fractions of the depth', () => {
    expect(pruningLayers(28, { start: 0.5, end: 0.786 })).toEqual({ first: 14, end: 22 });
    expect(pruningLayers(32, { start: 0.406, end: 0.656 })).toEqual({ first: 13, end: 21 });
    expect(pruningLayers(30, { start: 0.5, end: 0.786 })).toEqual({ first: 15, end: 24 });
    expect(pruningLayers(4, { start: 0.5, end: 0.51 })).toEqual({ first: 2, end: 3 });
  });

  it('only falls, never touches what is protected and ends at it', () => {
    const setting = fc.record({
      visual: fc.nat(3000),
      kept: fc.integer({ min: 1, max: 200 }),
      layers: fc.integer({ min: 1, max: 60 }),
      first: fc.nat(70),
      span: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(setting, ({ visual, kept, layers, first, span }) => {
        const pruning = { first, end: first + span };
        const counts = tokensEntering(layers, visual, kept, pruning);
        expect(counts[0]).toBe(visual + kept);
        counts.slice(1).forEach((count, i) => {
          expect(Number.isInteger(count)).toBe(true);
          expect(count).toBeLessThanOrEqual(counts[i]!);
          expect(count).toBeGreaterThanOrEqual(kept);
        });
        if (first >= layers - 1) expect(new Set(counts)).toEqual(new Set([visual + kept]));
        expect(visualAfter(pruning.end - 1, visual, pruning)).toBe(0);
      }),
      { numRuns: 200, seed: 4 },
    );
  });
});
