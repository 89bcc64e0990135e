import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VisualFeatures } from '../../../../src/engine/vision/visual-features.js';
import { mergeGroups, mergeSteps } from '../../../../src/engine/visual-tokens/merge-groups.js';
import type { Rows } from '../../../../src/engine/visual-tokens/merge-step.js';
import {
  averageByPlace,
  matchTokens,
  outputPlaces,
} from '../../../../src/engine/visual-tokens/merge-step.js';
import merging from '../../../fixtures/merging.json' with { type: 'json' };
import { plainMatches, plainMergeStep } from '../../../helpers/plain-merge.js';
import { seededFloats } from '../../../helpers/seeded.js';

const asRows = (tokens: readonly (readonly number[])[]): Rows => ({
  rows: tokens.length,
  width: tokens[0]!.length,
  data: Float32Array.from(tokens.flat()),
});
const asTokens = ({ rows, width, data }: Rows): number[][] =>
  Array.from({ length: rows }, (_, i) => [...data.subarray(i * width, (i + 1) * width)]);

function step(x: Rows, metric: Rows, r: number): Rows {
  const matching = matchTokens(metric, r);
  return averageByPlace(x, outputPlaces(matching, x.rows), x.rows - matching.merged.length);
}

const published = [
  [1, 0],
  [4, 1],
  [4, 2],
  [0, 1],
  [1, 5],
  [-1, 1],
  [3, 4],
];

describe('one merging step', () => {
  it.each([
    [
      1,
      [
        [4, 2],
        [1, 0],
        [3, 4],
        [4, 1],
        [0.5, 3],
        [-1, 1],
      ],
    ],
    [
      2,
      [
        [1, 0],
        [3, 4],
        [4, 1.5],
        [0.5, 3],
        [-1, 1],
      ],
    ],
    [
      3,
      [
        [3, 4],
        [3, 1],
        [0.5, 3],
        [-1, 1],
      ],
    ],
    [
      9,
      [
        [3, 4],
        [3, 1],
        [0.5, 3],
        [-1, 1],
      ],
    ],
  ])('gives the tokens of the reference code for r = %i', (r, expected) => {
    expect(asTokens(step(asRows(published), asRows(published), r))).toEqual(expected);
  });

  it('goes on from the order that the last step left', () => {
    const once = step(asRows(published), asRows(published), 3);
    expect(asTokens(step(once, once, 1))).toEqual([
      [0.5, 3],
      [3, 2.5],
      [-1, 1],
    ]);
  });

  it('is that of the plain loops, ties, zero rows and odd counts included', () => {
    const settings = fc.record({
      n: fc.integer({ min: 1, max: 200 }),
      width: fc.integer({ min: 1, max: 64 }),
      r: fc.nat(200),
      seed: fc.nat(),
      coarse: fc.boolean(),
      zeros: fc.nat(3),
    });
    fc.assert(
      fc.property(settings, ({ n, width, r, seed, coarse, zeros }) => {
        const data = seededFloats(seed, n * width).map((x) => (coarse ? Math.round(2 * x) : x));
        for (let i = 0; i < Math.min(zeros, n); i++) data.fill(0, i * width, (i + 1) * width);
        const rows = { rows: n, width, data };
        const { clusters, tokens } = plainMergeStep(asTokens(rows), asTokens(rows), r);
        const matching = matchTokens(rows, r);
        const places = outputPlaces(matching, n);
        const expected = clusters.flatMap((cluster, place) => cluster.map((token) => [token, place]));
        expect([...places.entries()]).toEqual(expected.sort(([a], [b]) => a! - b!));
        const averaged = averageByPlace(rows, places, n - matching.merged.length);
        expect(averaged.rows).toBe(clusters.length);
        const errors = tokens.flat().map((value, i) => Math.abs(averaged.data[i]! - value));
        expect(Math.max(...errors)).toBeLessThan(1e-6);
      }),
      { numRuns: 100, seed: 4 },
    );
  });

  it('does not depend on the scale of the metric', () => {
    const rows = { rows: 37, width: 8, data: seededFloats(1, 37 * 8) };
    const scaled = { ...rows, data: rows.data.map((x) => x * 64) };
    expect(matchTokens(scaled, 11)).toEqual(matchTokens(rows, 11));
  });

  it('matches the published strengths', () => {
    const byOrder = plainMatches(published).sort((a, b) => a.source - b.source);
    const strengths = [0.9701425, 0.9761871, 0.9805807, 0.8];
    byOrder.forEach(({ strength }, i) => {
      expect(strength).toBeCloseTo(strengths[i]!, 6);
    });
    expect(byOrder.map(({ destination }) => destination)).toEqual([1, 1, 3, 3]);
  });
});

describe('merging to a keep ratio', () => {
  const visual = (groups: number, tokensPerGroup: number, width = 6): VisualFeatures => ({
    groups,
    tokensPerGroup,
    width,
    features: seededFloats(groups, groups * tokensPerGroup * width),
    metric: undefined,
  });

  it.each([
    [196, [98, 49, 25, 13, 7, 4]],
    [729, [365, 183]],
  ])('halves %i tokens', (n, counts) => {
    counts.forEach((count, i) => {
      const { tokensPerGroup } = mergeGroups(visual(1, n), 2 ** -(i + 1), 'reference');
      expect(tokensPerGroup).toBe(count);
    });
  });

  it('takes the steps of the reference where they end between halvings', () => {
    expect(mergeSteps(576, 0.4375)).toEqual([288, 36]);
    expect(mergeSteps(576, 0.125)).toEqual([288, 144, 72]);
    expect(mergeSteps(10, 1)).toEqual([]);
    expect(mergeSteps(1, 0.1)).toEqual([]);
  });

  it.each(Object.entries(merging.merged))(
    'merges as the training pipeline does at keep %s',
    (keep, expected) => {
      const { features, metric } = merging;
      const flat = (groups: number[][][]) => Float32Array.from(groups.flat(2));
      const [groups, tokensPerGroup, width] = [features.length, features[0]!.length, features[0]![0]!.length];
      const before = { groups, tokensPerGroup, width, features: flat(features), metric: flat(metric) };
      const merged = mergeGroups(before, Number(keep), 'reference');
      expect(merged.tokensPerGroup).toBe(expected[0]!.length);
      flat(expected).forEach((value, i) => {
        expect(merged.features[i]).toBeCloseTo(value, 4);
      });
    },
  );

  it('keeps groups apart', () => {
    const both = visual(2, 20);
    const half = both.features.length / 2;
    const swapped = Float32Array.from([...both.features.subarray(half), ...both.features.subarray(0, half)]);
    const merged = mergeGroups(both, 0.3, 'reference').features;
    const mergedSwapped = mergeGroups({ ...both, features: swapped }, 0.3, 'reference').features;
    const cut = merged.length / 2;
    expect(mergedSwapped).toEqual(Float32Array.from([...merged.subarray(cut), ...merged.subarray(0, cut)]));
  });

  it('says where every token went, in either order', () => {
    for (const order of ['reference', 'raster'] as const) {
      const before = visual(3, 21);
      const after = mergeGroups(before, 0.6, order);
      for (let group = 0; group < 3; group++) {
        const memberOf = after.memberOf.subarray(group * 21, (group + 1) * 21);
        expect(new Set(memberOf).size).toBe(13);
        for (let token = 0; token < 13; token++) {
          const members = [...memberOf.keys()].filter((i) => memberOf[i] === token);
          const sum = members.reduce((total, i) => total + before.features[(group * 21 + i) * 6]!, 0);
          expect(after.features[(group * 13 + token) * 6]).toBeCloseTo(sum / members.length, 5);
        }
      }
    }
  });

  it('sorts raster order by the surviving token and changes nothing else', () => {
    const before = visual(1, 24);
    const reference = mergeGroups(before, 0.7, 'reference');
    const raster = mergeGroups(before, 0.7, 'raster');
    const rowsOf = ({ features }: { features: Float32Array }) =>
      asTokens({ rows: 17, width: 6, data: features }).map(String);
    expect(rowsOf(raster)).not.toEqual(rowsOf(reference));
    expect(rowsOf(raster).sort()).toEqual(rowsOf(reference).sort());
    const single = [...raster.memberOf.keys()].filter(
      (i) => raster.memberOf.filter((token) => token === raster.memberOf[i]).length === 1,
    );
    const places = single.map((i) => raster.memberOf[i]!);
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  it('matches by a metric of its own and merges that along', () => {
    const features = Float32Array.of(1, 2, 3, 4);
    const metric = Float32Array.of(1, 0, 0, 1, 0, 1, 1, 0.1);
    const merged = mergeGroups(
      { groups: 1, tokensPerGroup: 4, width: 1, features, metric },
      0.5,
      'reference',
    );
    expect([...merged.memberOf]).toEqual([1, 0, 0, 1]);
    expect([...merged.features]).toEqual([2.5, 2.5]);
  });

  it('returns the very features for keep 1', () => {
    const before = visual(2, 5);
    expect(mergeGroups(before, 1, 'reference').features).toBe(before.features);
  });
});
