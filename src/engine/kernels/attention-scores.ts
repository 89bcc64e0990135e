/** Products of queries and keys: two keys at a time, so that a query is loaded half as often. */

import { type Heads, headsAtOnce, scoreRowBytes } from './attention-shape.js';
import { apart, type Code, f32x4, forRange, i32, steps, v128 } from './wasm/code.js';
import type { Kernel, Local } from './wasm/module.js';

/** Keys or values of tokens: how many there are, and where one of them lies. */
export interface TokenRows {
  readonly count: Local;
  at(index: Code): Code;
}

/** Scores of some heads for all keys, from `write` on, which then is behind them. */
export function scoring(
  kernel: Kernel,
  query: Local,
  write: Local,
  headBytes: number,
): (heads: Heads, keys: TokenRows) => Code {
  const { token, address, next } = kernel.variables('i32', 'token', 'address', 'next');
  const { key, nextKey, q, pairs } = kernel.variables('v128', 'key', 'nextKey', 'q', 'pairs');
  /** Sums of four lanes, for each head of one key and of the next. */
  const dots = Array.from({ length: headsAtOnce }, () => kernel.locals('v128', 2));

  const multiplied = ({ first, count }: Heads, at: number): Code => [
    key.set(v128.load(address.get, at)),
    nextKey.set(v128.load(next.get, at)),
    dots
      .slice(0, count)
      .map((sums, i) => [
        q.set(v128.load(query.get, (first + i) * headBytes + at)),
        [key, nextKey].map((k, j) => sums[j]!.set(f32x4.multiplyAdd(k.get, q.get, sums[j]!.get))),
      ]),
  ];
  const stored = ({ first, count }: Heads): Code =>
    steps(count, 2).map((i) => [
      pairs.set(sideBySide([...dots[i]!, ...dots[Math.min(i + 1, count - 1)]!])),
      v128.storeLane64(write.get, pairs.get, 0, (first + i) * scoreRowBytes),
      i + 1 < count ? v128.storeLane64(write.get, pairs.get, 1, (first + i + 1) * scoreRowBytes) : [],
    ]);
  return (heads, keys) => [
    forRange(
      token,
      0,
      keys.count.get,
      2,
      address.set(keys.at(token.get)),
      next.set(keys.at(i32.min(i32.add(token.get, 1), i32.sub(keys.count.get, 1)))),
      dots.slice(0, heads.count).map((sums) => sums.map((sum) => sum.set(v128.zero))),
      apart(
        query,
        steps(headBytes, 16).map((at) => multiplied(heads, at)),
      ),
      stored(heads),
      write.advance(8),
    ),
    // The last of an odd number was its own next.
    write.advance(i32.mul(i32.and(keys.count.get, 1), -4)),
  ];
}

/** The lane sums of four vectors as one vector, each in the order of `laneSum`. */
function sideBySide(vectors: readonly Local[]): Code {
  const [a, b, c, d] = vectors.map((vector) => vector.get) as [Code, Code, Code, Code];
  const pair = (x: Code, y: Code): Code =>
    f32x4.add(v128.shuffle(x, y, floatLanes([0, 1, 4, 5])), v128.shuffle(x, y, floatLanes([2, 3, 6, 7])));
  const [ab, cd] = [pair(a, b), pair(c, d)];
  return f32x4.add(
    v128.shuffle(ab, cd, floatLanes([0, 2, 4, 6])),
    v128.shuffle(ab, cd, floatLanes([1, 3, 5, 7])),
  );
}

const floatLanes = (lanes: readonly number[]): number[] =>
  lanes.flatMap((lane) => [0, 1, 2, 3].map((i) => 4 * lane + i));
