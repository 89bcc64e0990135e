/**
 * Attention of the query heads that share a KV head, for one new row and one segment of the tokens it sees: cached
 * ones, which lie one behind another, then those new rows that a list names.
 *
 *   scores = q · [past keys; chosen new keys]ᵀ ── weights = e^(scores − max) ── · [past values; chosen new values]
 *
 * The weighted sum, the maximum and the sum of the weights of all segments give the result (FlashAttention, arXiv
 * 2205.14135 section 3.1). Segments begin at fixed tokens, and each score and sum is computed in the same order of
 * operations whether a token is cached or new, alone or in a batch: a draft verifies to the very bits of plain
 * decoding. Queries come scaled.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { exponential } from './exponential.js';
import { laneSum, lanesMaximum } from './rows.js';
import { type Code, f32, f32x4, forRange, i32, v128 } from './wasm/code.js';
import { Kernel, type Local } from './wasm/module.js';

export const segmentTokens = 64;
/** Heads whose products share the loads of a key or value; more of them would not fit into registers. */
const headsAtOnce = 4;
/** Vectors of the outputs of so many heads that are summed in registers at once. */
const vectorsAtOnce = [0, 6, 4, 3, 2] as const;
/** Scores of a head, and room for a vector behind them. */
const scoreRowBytes = 4 * segmentTokens + 16;
/** Finite, so that no difference is undefined. */
export const hidden = -1e30;

/** What a segment leaves of one head: its sum, then the maximum and the sum of the weights. */
export const partialBytes = (headDim: number): number => 4 * headDim + 16;
export const scoreBytes = (group: number): number => group * scoreRowBytes;

export type HeadShape = Pick<DecoderConfig, 'heads' | 'kvHeads' | 'headDim'>;

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
  ]);
  const { query, partial, pastKeys, pastValues, past, newKeys, newValues, chosen, chosenCount, scores } =
    kernel.parameters;
  const headBytes = 4 * headDim;
  const { token, at, write, end, address, next } = kernel.variables(
    'i32',
    'token',
    'at',
    'write',
    'end',
    'address',
    'next',
  );
  const dots = kernel.locals('v128', 2 * headsAtOnce);
  const { key, nextKey, q, most, sum, weight } = kernel.variables(
    'v128',
    'key',
    'nextKey',
    'q',
    'most',
    'sum',
    'weight',
  );
  const weights = kernel.locals('v128', headsAtOnce);
  const outputs = kernel.locals('v128', Math.max(...vectorsAtOnce.map((count, used) => count * used)));
  const total = laneSum(kernel);
  const exp = exponential(kernel);
  const newRow = (base: Local, index: Code): Code =>
    i32.add(base.get, i32.mul(i32.load(i32.add(chosen.get, i32.shl(index, 2))), headBytes));

  /** Products of the heads `[first, first + count)` with one key, or two, into `dots`. */
  const multiply = (first: number, count: number, isPair: boolean): Code => [
    ...dots.slice(0, isPair ? 2 * count : count).map((dot) => dot.set(v128.zero)),
    forRange(
      at,
      0,
      headBytes,
      16,
      key.set(v128.load(i32.add(address.get, at.get))),
      isPair ? nextKey.set(v128.load(i32.add(next.get, at.get))) : [],
      ...Array.from({ length: count }, (_, i): Code => {
        const [a, b] = isPair ? [dots[2 * i]!, dots[2 * i + 1]!] : [dots[i]!, undefined];
        return [
          q.set(v128.load(i32.add(query.get, at.get), (first + i) * headBytes)),
          a.set(f32x4.multiplyAdd(key.get, q.get, a.get)),
          b === undefined ? [] : b.set(f32x4.multiplyAdd(nextKey.get, q.get, b.get)),
        ];
      }),
    ),
  ];
  /** Scores of the tokens up to `end`, two and two, then the odd one. */
  const score = (first: number, count: number, locate: (index: Code) => Code): Code => [
    forRange(
      token,
      1,
      end.get,
      2,
      address.set(locate(i32.sub(token.get, 1))),
      next.set(locate(token.get)),
      multiply(first, count, true),
      Array.from({ length: Math.ceil(count / 2) }, (_, i): Code => {
        const [a, b, c, d] = [0, 1, 2, 3].map((j) => dots[4 * i + (2 * i + 1 < count ? j : j % 2)]!.get);
        const row = (first + 2 * i) * scoreRowBytes;
        return [
          q.set(sideBySide(a!, b!, c!, d!)),
          v128.storeLane64(write.get, q.get, 0, row),
          2 * i + 1 < count ? v128.storeLane64(write.get, q.get, 1, row + scoreRowBytes) : [],
        ];
      }),
      write.advance(8),
    ),
    forRange(
      token,
      i32.sub(token.get, 1),
      end.get,
      1,
      address.set(locate(token.get)),
      multiply(first, count, false),
      dots.slice(0, count).map((dot, i) => f32.store(write.get, total(dot.get), (first + i) * scoreRowBytes)),
      write.advance(4),
    ),
  ];
  const vectors = (row: number): Code => i32.add(at.get, row * scoreRowBytes);
  /** Weights in the place of scores; notes their maximum and sum. */
  const weigh = (head: number): Code => [
    v128.store(write.get, f32x4.const(hidden), head * scoreRowBytes),
    most.set(f32x4.const(hidden)),
    forRange(at, scores.get, write.get, 16, most.set(f32x4.max(most.get, v128.load(vectors(head))))),
    lanesMaximum(most),
    sum.set(v128.zero),
    forRange(
      at,
      scores.get,
      write.get,
      16,
      weight.set(exp(f32x4.sub(v128.load(vectors(head)), most.get))),
      v128.store(vectors(head), weight.get),
      sum.set(f32x4.add(sum.get, weight.get)),
    ),
    f32.store(partial.get, f32x4.lane(most.get, 0), head * partialBytes(headDim) + headBytes),
    f32.store(partial.get, total(sum.get), head * partialBytes(headDim) + headBytes + 4),
  ];
  /** The values of all tokens, weighted, in a few vectors of each head. */
  const mix = (first: number, count: number, vector: number): Code => {
    const width = Math.min(vectorsAtOnce[count]!, headDim / 4 - vector);
    const used = outputs.slice(0, count * width);
    const addToken: Code = [
      weights.slice(0, count).map((w, i) => w.set(v128.loadSplat32(write.get, (first + i) * scoreRowBytes))),
      Array.from(
        { length: width },
        (_, j): Code => [
          key.set(v128.load(address.get, 16 * (vector + j))),
          ...weights.slice(0, count).map((w, i) => {
            const output = used[i * width + j]!;
            return output.set(f32x4.multiplyAdd(key.get, w.get, output.get));
          }),
        ],
      ),
      write.advance(4),
    ];
    return [
      used.map((output) => output.set(v128.zero)),
      write.set(scores.get),
      address.set(pastValues.get),
      forRange(token, 0, past.get, 1, addToken, address.advance(headBytes)),
      forRange(token, 0, chosenCount.get, 1, address.set(newRow(newValues, token.get)), addToken),
      used.map((output, i) => {
        const [head, j] = [first + Math.floor(i / width), vector + (i % width)];
        return v128.store(partial.get, output.get, head * partialBytes(headDim) + 16 * j);
      }),
    ];
  };
  const someHeads = (first: number, count: number): Code => [
    write.set(scores.get),
    end.set(past.get),
    score(first, count, (index) => i32.add(pastKeys.get, i32.mul(index, headBytes))),
    end.set(chosenCount.get),
    score(first, count, (index) => newRow(newKeys, index)),
    Array.from({ length: count }, (_, i) => weigh(first + i)),
    steps(headDim / 4, vectorsAtOnce[count]!).map((vector) => mix(first, count, vector)),
  ];
  const group = heads / kvHeads;
  return kernel.body(
    steps(group, headsAtOnce).map((first) => someHeads(first, Math.min(headsAtOnce, group - first))),
  );
}

/** 0, by, 2 · by, … below `end`. */
export const steps = (end: number, by: number): number[] =>
  Array.from({ length: Math.ceil(end / by) }, (_, i) => i * by);
const floatLanes = (lanes: readonly number[]): number[] =>
  lanes.flatMap((lane) => [0, 1, 2, 3].map((i) => 4 * lane + i));

/** The lane sums of four vectors as one vector, each in the order of `laneSum`. */
function sideBySide(a: Code, b: Code, c: Code, d: Code): Code {
  const pair = (x: Code, y: Code): Code =>
    f32x4.add(v128.shuffle(x, y, floatLanes([0, 1, 4, 5])), v128.shuffle(x, y, floatLanes([2, 3, 6, 7])));
  const [ab, cd] = [pair(a, b), pair(c, d)];
  return f32x4.add(
    v128.shuffle(ab, cd, floatLanes([0, 2, 4, 6])),
    v128.shuffle(ab, cd, floatLanes([1, 3, 5, 7])),
  );
}
