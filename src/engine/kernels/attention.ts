/**
 * Attention of the query heads that share a KV head, for new rows and one segment of the tokens they see: cached ones,
 * which lie one behind another, then those new rows that a list names.
 *
 *   scores = q · [past keys; chosen new keys]ᵀ ── weights = e^(scores − max) ── · [past values; chosen new values]
 *
 * The weighted sum, the maximum and the sum of the weights of all segments give the result (FlashAttention, arXiv
 * 2205.14135 section 3.1). Segments begin at fixed tokens, and each score and sum is computed in the same order of
 * operations whether a token is cached or new, alone or in a batch: a draft verifies to the very bits of plain
 * decoding. Queries come scaled.
 */

import { mixing } from './attention-mixture.js';
import { scoring, type TokenRows } from './attention-scores.js';
import {
  type HeadShape,
  type Heads,
  headsAtOnce,
  hidden,
  partialBytes,
  scoreRowBytes,
} from './attention-shape.js';
import { exponential } from './exponential.js';
import { laneSum, lanesMaximum } from './rows.js';
import { type Code, f32, f32x4, forRange, i32, steps, v128 } from './wasm/code.js';
import { Kernel, type Local } from './wasm/module.js';

/**
 * For `rows` rows that see the same tokens of the segment, their queries `queryStride` and what it leaves of them
 * `partialStride` bytes apart.
 */
export function attentionKernel({ heads, kvHeads, headDim }: HeadShape): Kernel {
  const kernel = new Kernel('attend', [
    'query',
    'partial',
    'pastKeys',
    'pastValues',
    'past',
    'newKeys',
    'newValues',
    'chosen',
    'chosenCount',
    'scores',
    'rows',
    'queryStride',
    'partialStride',
  ]);
  const { query, partial, pastKeys, pastValues, past, newKeys, newValues, chosen, chosenCount, ...rest } =
    kernel.parameters;
  const { scores, rows, queryStride, partialStride } = rest;
  const { row, end } = kernel.variables('i32', 'row', 'end');
  const headBytes = 4 * headDim;
  const cached = (base: Local): TokenRows => ({
    count: past,
    at: (index) => i32.add(base.get, i32.mul(index, headBytes)),
  });
  const fresh = (base: Local): TokenRows => ({
    count: chosenCount,
    at: (index) => i32.add(base.get, i32.mul(i32.load(i32.add(chosen.get, i32.shl(index, 2))), headBytes)),
  });
  const score = scoring(kernel, query, end, headBytes);
  const weigh = weighing(kernel, scores, end, partial, headBytes);
  const mix = mixing(kernel, scores, partial, headDim);

  const group = heads / kvHeads;
  const someHeads = (some: Heads): Code => [
    end.set(scores.get),
    [cached(pastKeys), fresh(newKeys)].map((keys) => score(some, keys)),
    steps(some.count, 1).map((i) => weigh(some.first + i)),
    mix(some, [cached(pastValues), fresh(newValues)]),
  ];
  return kernel.body(
    forRange(
      row,
      0,
      rows.get,
      1,
      steps(group, headsAtOnce).map((first) =>
        someHeads({ first, count: Math.min(headsAtOnce, group - first) }),
      ),
      query.advance(queryStride.get),
      partial.advance(partialStride.get),
    ),
  );
}

/** The scores of a head, which end before `end`, give way to their weights, whose maximum and sum are noted. */
function weighing(
  kernel: Kernel,
  scores: Local,
  end: Local,
  partial: Local,
  headBytes: number,
): (head: number) => Code {
  const { at } = kernel.variables('i32', 'at');
  const { most, sum, weight } = kernel.variables('v128', 'most', 'sum', 'weight');
  const exp = exponential(kernel);
  const total = laneSum(kernel);
  return (head) => {
    const row = head * scoreRowBytes;
    const noted = head * partialBytes(headBytes / 4) + headBytes;
    const score = v128.load(at.get, row);
    return [
      // Fills up the last vector.
      v128.store(end.get, f32x4.const(hidden), row),
      most.set(f32x4.const(hidden)),
      forRange(at, scores.get, end.get, 16, most.set(f32x4.max(most.get, score))),
      lanesMaximum(most),
      sum.set(v128.zero),
      forRange(
        at,
        scores.get,
        end.get,
        16,
        weight.set(exp(f32x4.sub(score, most.get))),
        v128.store(at.get, weight.get, row),
        sum.set(f32x4.add(sum.get, weight.get)),
      ),
      f32.store(partial.get, f32x4.lane(most.get, 0), noted),
      f32.store(partial.get, total(sum.get), noted + 4),
    ];
  };
}
