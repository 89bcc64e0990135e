import { describe, expect, it } from 'vitest';
import { partialBytes, scoreBytes, segmentTokens } from '../../../../src/engine/kernels/attention-shape.js';
import { LoadedKernels } from '../../../helpers/loaded-kernels.js';
import { seededFloats } from '../../../helpers/seeded.js';

const mostRows = 3;

/** Attention of the `group` heads of one KV head over cached rows and chosen new ones. */
function attention(group: number, headDim: number) {
  const kernels = new LoadedKernels({ heads: group, kvHeads: 1, headDim });
  const tokens = 200;
  const [keys, values] = [seededFloats(1, tokens * headDim), seededFloats(2, tokens * headDim)];
  const queries = seededFloats(3, mostRows * group * headDim, 2);
  const at = {
    keys: kernels.put(keys),
    values: kernels.put(values),
    queries: kernels.put(queries),
    scores: kernels.memory.take(scoreBytes(group)),
    partials: kernels.memory.take(8 * group * partialBytes(headDim)),
    out: kernels.room(group * headDim),
    chosen: kernels.put(new Int32Array(tokens)),
  };
  /** Tokens [0, past) are cached, those of `chosen` new; both lie in the same rows. */
  const run = (past: number, chosen: readonly number[]): Float32Array => {
    kernels.memory.integers(at.chosen, chosen.length).set(chosen);
    const segments = Math.ceil((past + chosen.length) / segmentTokens);
    const headBytes = 4 * headDim;
    for (let segment = 0; segment < segments; segment++) {
      const begin = segment * segmentTokens;
      const [firstPast, firstNew] = [Math.min(begin, past), Math.max(begin - past, 0)];
      kernels.call.attend(
        at.queries,
        at.partials + segment * group * partialBytes(headDim),
        at.keys + firstPast * headBytes,
        at.values + firstPast * headBytes,
        Math.min(begin + segmentTokens, past) - firstPast,
        at.keys,
        at.values,
        at.chosen + 4 * firstNew,
        Math.max(0, Math.min(begin + segmentTokens - past, chosen.length) - firstNew),
        at.scores,
        1,
        0,
        0,
      );
    }
    kernels.call.join(at.partials, segments, at.out);
    return kernels.floats(at.out, group * headDim);
  };
  /** What the first segment leaves of rows that see it whole. */
  const partials = (first: number, rows: number): Float32Array => {
    const [queryStride, stride] = [4 * group * headDim, group * partialBytes(headDim)];
    const { queries: from, partials: to, keys: k, values: v, chosen, scores } = at;
    const query = from + first * queryStride;
    kernels.memory.floats(to, (rows * stride) / 4).fill(0);
    kernels.call.attend(query, to, k, v, segmentTokens, k, v, chosen, 0, scores, rows, queryStride, stride);
    return kernels.floats(to, (rows * stride) / 4);
  };
  const plain = (seen: readonly number[]): number[] =>
    Array.from({ length: group }, (_, head) => {
      const dot = (token: number) => {
        let sum = 0;
        for (let i = 0; i < headDim; i++) sum += queries[head * headDim + i]! * keys[token * headDim + i]!;
        return sum;
      };
      const scores = seen.map(dot);
      const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return Array.from({ length: headDim }, (_, i) =>
        seen.reduce((sum, token, j) => sum + (weights[j]! / total) * values[token * headDim + i]!, 0),
      );
    }).flat();
  return { run, partials, plain };
}

const upTo = (end: number): number[] => Array.from({ length: end }, (_, i) => i);

describe.each([
  [1, 12],
  [2, 8],
  [3, 64],
  [4, 20],
  [7, 64],
  [8, 128],
])('attention of %d heads of width %d', (group, headDim) => {
  const { run, partials, plain } = attention(group, headDim);

  it.each([
    [0, [0]],
    [1, [1]],
    [37, [40, 41, 45]],
    [64, [64]],
    [63, [70, 80, 90, 100]],
    [190, [195]],
  ])('after %d cached tokens is that of the formula', (past, chosen) => {
    const actual = run(past, chosen);
    const expected = plain([...upTo(past), ...chosen]);
    expect(Math.max(...expected.map((value, i) => Math.abs(actual[i]! - value)))).toBeLessThan(1e-5);
  });

  it('leaves the same bits of a row alone and among others', () => {
    const together = partials(0, mostRows);
    const size = together.length / mostRows;
    for (let row = 0; row < mostRows; row++) {
      expect(partials(row, 1)).toEqual(together.slice(row * size, (row + 1) * size));
    }
  });

  it('has the same bits wherever the cache ends', () => {
    const whole = run(149, [149]);
    for (const past of [0, 1, 63, 64, 65, 128, 148]) {
      expect(run(past, upTo(150).slice(past))).toEqual(whole);
    }
  });
});
