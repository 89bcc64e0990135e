/**
 * Turns the queries and keys of new rows (arXiv 2104.09864 section 3.4, halves side by side as Hugging Face lays them
 * out) and puts keys and values where attention and the cache find them.
 *
 *   row of projections: for each KV head [g queries, key, value], d floats each
 *   queries go to rows of `[KV head, g, d]`, keys and values to `[lane, KV head, row, d]`
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { type Code, f32x4, forRange, i32, steps, v128, vectorBytes } from './wasm/code.js';
import { Kernel, type Local } from './wasm/module.js';

/** Four rows of d / 2 floats for each new row: cosines and sines for queries, which they also scale, and for keys. */
export const turnFloats = ({ headDim }: Pick<DecoderConfig, 'headDim'>): number => 2 * headDim;

/**
 * For one KV head of one row; `projected` are its queries and its key, `turns` the cosines and sines of the row.
 * Nothing is read that is written, so that two threads may do the same. Halves of heads are at least a vector wide.
 */
export function rotaryKernel({
  heads,
  kvHeads,
  headDim,
}: Pick<DecoderConfig, 'heads' | 'kvHeads' | 'headDim'>): Kernel {
  const kernel = new Kernel('rotary', ['projected', 'projectedValue', 'turns', 'queries', 'key', 'value']);
  const { projected, projectedValue, turns, queries, key, value } = kernel.parameters;
  const { query, at } = kernel.variables('i32', 'query', 'at');
  const { first, second, cos, sin } = kernel.variables('v128', 'first', 'second', 'cos', 'sin');
  const headBytes = 4 * headDim;
  const half = headBytes / 2;
  const group = heads / kvHeads;
  const turnVectors = (from: Local, to: Local, cosines: number, place: number): Code => [
    first.set(v128.load(from.get, place)),
    second.set(v128.load(from.get, half + place)),
    cos.set(v128.load(turns.get, cosines + place)),
    sin.set(v128.load(turns.get, cosines + half + place)),
    v128.store(to.get, f32x4.sub(f32x4.mul(first.get, cos.get), f32x4.mul(second.get, sin.get)), place),
    v128.store(
      to.get,
      f32x4.add(f32x4.mul(second.get, cos.get), f32x4.mul(first.get, sin.get)),
      half + place,
    ),
  ];
  // The last vector overlaps the one before where a half is not made of whole vectors.
  const turn = (from: Local, to: Local, cosines: number): Code =>
    steps(half, vectorBytes).map((place) =>
      turnVectors(from, to, cosines, Math.min(place, half - vectorBytes)),
    );
  return kernel.body(
    forRange(
      query,
      0,
      group,
      1,
      turn(projected, queries, 0),
      projected.advance(headBytes),
      queries.advance(headBytes),
    ),
    turn(projected, key, headBytes),
    forRange(
      at,
      0,
      headBytes,
      16,
      v128.store(i32.add(value.get, at.get), v128.load(i32.add(projectedValue.get, at.get))),
    ),
  );
}
