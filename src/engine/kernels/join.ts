/** Joins what the segments of attention leave (FlashAttention, arXiv 2205.14135 section 3.1). */

import { type HeadShape, hidden, partialBytes } from './attention-shape.js';
import { exponential } from './exponential.js';
import { type Code, f32, f32x4, forRange, steps, v128 } from './wasm/code.js';
import { Kernel } from './wasm/module.js';

/** Vectors of an output that are joined at once. */
const joinedAtOnce = 8;

/** The heads of one KV head: their segments in order into `out [group, headDim]`. */
export function joinKernel({ heads, kvHeads, headDim }: HeadShape): Kernel {
  const kernel = new Kernel('join', ['partials', 'segments', 'out']);
  const { partials, segments, out } = kernel.parameters;
  const { head, segment, address } = kernel.variables('i32', 'head', 'segment', 'address');
  const { most, sum, weight } = kernel.variables('v128', 'most', 'sum', 'weight');
  const values = kernel.locals('v128', joinedAtOnce);
  const exp = exponential(kernel);
  const headBytes = 4 * headDim;
  const group = heads / kvHeads;
  const eachSegment = (...body: Code[]): Code => [
    address.set(partials.get),
    forRange(segment, 0, segments.get, 1, ...body, address.advance(group * partialBytes(headDim))),
  ];
  const joinVectors = (first: number): Code => {
    const used = values.slice(0, headDim / 4 - first);
    return [
      used.map((value) => value.set(v128.zero)),
      eachSegment(
        weight.set(v128.loadSplat32(address.get, headBytes + 8)),
        used.map((value, i) =>
          value.set(f32x4.multiplyAdd(v128.load(address.get, 16 * (first + i)), weight.get, value.get)),
        ),
      ),
      used.map((value, i) => v128.store(out.get, f32x4.mul(value.get, sum.get), 16 * (first + i))),
    ];
  };
  return kernel.body(
    forRange(
      head,
      0,
      group,
      1,
      most.set(f32x4.const(hidden)),
      eachSegment(most.set(f32x4.max(most.get, v128.loadSplat32(address.get, headBytes)))),
      sum.set(v128.zero),
      eachSegment(
        weight.set(exp(f32x4.sub(v128.loadSplat32(address.get, headBytes), most.get))),
        sum.set(f32x4.multiplyAdd(v128.loadSplat32(address.get, headBytes + 4), weight.get, sum.get)),
        f32.store(address.get, f32x4.lane(weight.get, 0), headBytes + 8),
      ),
      sum.set(f32x4.div(f32x4.const(1), sum.get)),
      steps(headDim / 4, joinedAtOnce).map(joinVectors),
      partials.advance(partialBytes(headDim)),
      out.advance(headBytes),
    ),
  );
}
