import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pooledSide, poolGroups } from '../../../../src/engine/visual-tokens/grid-pool.js';
import { seededFloats } from '../../../helpers/seeded.js';

const visual = (groups: number, side: number, width: number) => ({
  groups,
  tokensPerGroup: side * side,
  width,
  features: seededFloats(1, groups * side * side * width),
  metric: undefined,
});

/** Adaptive average pooling, cell by cell. */
function plain(rows: Float32Array, side: number, target: number, width: number): number[] {
  const cells: number[] = [];
  for (let cell = 0; cell < target * target; cell++) {
    const [row, column] = [Math.floor(cell / target), cell % target];
    const inside = (place: number, at: number) =>
      place >= Math.floor((at * side) / target) && place < Math.ceil(((at + 1) * side) / target);
    const members = [...Array(side * side).keys()].filter(
      (i) => inside(Math.floor(i / side), row) && inside(i % side, column),
    );
    for (let c = 0; c < width; c++) {
      cells.push(members.reduce((sum, i) => sum + rows[i * width + c]!, 0) / members.length);
    }
  }
  return cells;
}

describe('pooledSide', () => {
  it.each([
    [24, 0.25, 12],
    [14, 0.25, 7],
    [27, 0.25, 13],
    [12, 0.125, 4],
    [3, 0.01, 1],
    [5, 1, 5],
  ])('of %i at keep %f should be %i', (side, keep, expected) => {
    expect(pooledSide(side, keep)).toBe(expected);
  });
});

describe('poolGroups', () => {
  it('should average every cell of every group, whether sides divide or not', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(8),
        (side, groups, of) => {
          const target = 1 + (of % side);
          const { features, tokensPerGroup } = poolGroups(visual(groups, side, 2), side, target);
          const rows = visual(groups, side, 2).features;
          const size = rows.length / groups;
          const expected = Array.from({ length: groups }, (_, g) =>
            plain(rows.subarray(g * size, (g + 1) * size), side, target, 2),
          ).flat();
          expect(tokensPerGroup).toBe(target * target);
          for (const [i, value] of expected.entries()) expect(features[i]).toBeCloseTo(value, 5);
        },
      ),
    );
  });

  it('should leave a grid of the same side as it is', () => {
    const same = visual(2, 4, 3);
    expect(poolGroups(same, 4, 4).features).toEqual(same.features);
  });

  it('should say where every token went, in the order of the image', () => {
    const { memberOf } = poolGroups(visual(1, 4, 1), 4, 2);
    expect([...memberOf]).toEqual([0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]);
  });
});
