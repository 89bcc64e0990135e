/** Kernels over whole rows of float32: norm, quantisation, bias, gated activation. */

import { blockSize } from '../quantization/block-quantizer.js';
import { exponential } from './exponential.js';
import { activationBlockBytes, groupOutputs } from './matmul.js';
import { type Code, f32, f32x4, forRange, i8x16, i16x8, i32, i32x4, v128, vectorBytes } from './wasm/code.js';
import { Kernel, type Local } from './wasm/module.js';

/** The sum of the four lanes, as (0 + 2) + (1 + 3); all users agree on that order. */
export function laneSum(kernel: Kernel): (value: Code) => Code {
  const sums = kernel.local('v128');
  return (value) => [
    sums.set(value),
    sums.set(f32x4.add(sums.get, v128.rotate(sums.get, 8))),
    f32.add(f32x4.lane(sums.get, 0), f32x4.lane(sums.get, 1)),
  ];
}

/** Leaves the largest of the four lanes in all of them. */
export const lanesMaximum = (most: Local, larger = f32x4.max): Code =>
  [8, 4].map((places) => most.set(larger(most.get, v128.rotate(most.get, places))));

/**
 * Root mean square norm (arXiv 1910.07467): `to = from · weight / √(mean(from²) + epsilon)`, for `rows` rows of `bytes`
 * bytes. The weight is the same for all rows.
 */
export function rmsNormKernel(epsilon: number): Kernel {
  const kernel = new Kernel('rmsNorm', ['from', 'to', 'weight', 'bytes', 'rows', 'fromStride', 'toStride']);
  const { from, to, weight, bytes, rows, fromStride, toStride } = kernel.parameters;
  const { row, at } = kernel.variables('i32', 'row', 'at');
  const { squares, factor, x } = kernel.variables('v128', 'squares', 'factor', 'x');
  const sum = laneSum(kernel);
  const value = v128.load(i32.add(from.get, at.get));
  const mean = f32.div(f32.mul(sum(squares.get), f32.const(4)), f32.fromSigned(bytes.get));
  return kernel.body(
    forRange(
      row,
      0,
      rows.get,
      1,
      squares.set(v128.zero),
      forRange(
        at,
        0,
        bytes.get,
        vectorBytes,
        x.set(value),
        squares.set(f32x4.multiplyAdd(x.get, x.get, squares.get)),
      ),
      factor.set(f32x4.splat(f32.div(f32.const(1), f32.sqrt(f32.add(mean, f32.const(epsilon)))))),
      forRange(
        at,
        0,
        bytes.get,
        vectorBytes,
        v128.store(
          i32.add(to.get, at.get),
          f32x4.mul(f32x4.mul(value, factor.get), v128.load(i32.add(weight.get, at.get))),
        ),
      ),
      from.advance(fromStride.get),
      to.advance(toStride.get),
    ),
  );
}

/** Rows of float32 to blocks of int8 codes, `scale = max |x| / 127`; rows are padded with zeros to whole blocks. */
export function quantizeKernel(): Kernel {
  const kernel = new Kernel('quantize', ['from', 'to', 'blocks', 'rows', 'fromStride', 'toStride']);
  const { from, to, blocks, rows, fromStride, toStride } = kernel.parameters;
  const { row, block, source, target } = kernel.variables('i32', 'row', 'block', 'source', 'target');
  const x = kernel.locals('v128', blockSize / 4);
  const { most, inverse, sums } = kernel.variables('v128', 'most', 'inverse', 'sums');
  const scale = kernel.local('f32');
  const shorts = (i: number): Code => i16x8.narrow(x[2 * i]!.get, x[2 * i + 1]!.get);
  const oneBlock: Code = [
    most.set(v128.zero),
    ...x.flatMap((part, i) => [
      part.set(v128.load(source.get, vectorBytes * i)),
      // As integers, magnitudes have the same order, and what is no number is the largest.
      most.set(i32x4.max(most.get, f32x4.abs(part.get))),
    ]),
    lanesMaximum(most, i32x4.max),
    scale.set(f32.div(f32x4.lane(most.get, 0), f32.const(127))),
    // A block of zeros has the codes 0, whatever it is multiplied by.
    inverse.set(f32x4.splat(f32.div(f32.const(1), f32.max(scale.get, f32.const(1e-30))))),
    ...x.map((part) => part.set(i32x4.fromFloats(f32x4.nearest(f32x4.mul(part.get, inverse.get))))),
    sums.set(x.slice(1).reduce((sum, part) => i32x4.add(sum, part.get), x[0]!.get)),
    v128.store(target.get, i8x16.narrow(shorts(0), shorts(1))),
    v128.store(target.get, i8x16.narrow(shorts(2), shorts(3)), 16),
    f32.store(target.get, scale.get, blockSize),
    i32.store(target.get, pairOfShorts(offset(sums, 0), offset(sums, 2)), blockSize + 4),
    source.advance(4 * blockSize),
    target.advance(activationBlockBytes),
  ];
  return kernel.body(
    forRange(
      row,
      0,
      rows.get,
      1,
      source.set(from.get),
      target.set(to.get),
      forRange(block, 0, blocks.get, 1, oneBlock),
      from.advance(fromStride.get),
      to.advance(toStride.get),
    ),
  );
}

/** What two neighbouring lanes of sums of codes add to a product with codes that are too large by eight. */
const offset = (sums: Local, lane: number): Code =>
  i32.mul(i32.add(i32x4.lane(sums.get, lane), i32x4.lane(sums.get, lane + 1)), -8);
const pairOfShorts = (low: Code, high: Code): Code => i32.add(i32.and(low, 0xffff), i32.shl(high, 16));

/** Adds a vector to `rows` rows. */
export function addKernel(): Kernel {
  const kernel = new Kernel('add', ['to', 'vector', 'bytes', 'rows', 'stride']);
  const { to, vector, bytes, rows, stride } = kernel.parameters;
  const { row, at } = kernel.variables('i32', 'row', 'at');
  const address = i32.add(to.get, at.get);
  const sum = f32x4.add(v128.load(address), v128.load(i32.add(vector.get, at.get)));
  return kernel.body(
    forRange(
      row,
      0,
      rows.get,
      1,
      forRange(at, 0, bytes.get, vectorBytes, v128.store(address, sum)),
      to.advance(stride.get),
    ),
  );
}

/**
 * `to = silu(gate) · up` for `groups` groups of `rows` rows; eight gates and their eight ups lie side by side, as the
 * matrix product leaves them.
 */
export function gatedKernel(): Kernel {
  const kernel = new Kernel('gated', ['from', 'to', 'groups', 'rows', 'fromStride', 'toStride']);
  const { from, to, groups, rows, fromStride, toStride } = kernel.parameters;
  const { row, group, source, target } = kernel.variables('i32', 'row', 'group', 'source', 'target');
  const gate = kernel.local('v128');
  const exp = exponential(kernel);
  const half = (offset: number): Code => [
    gate.set(v128.load(source.get, offset)),
    v128.store(
      target.get,
      f32x4.mul(
        f32x4.div(gate.get, f32x4.add(f32x4.const(1), exp(f32x4.neg(gate.get)))),
        v128.load(source.get, offset + 4 * groupOutputs),
      ),
      offset,
    ),
  ];
  return kernel.body(
    forRange(
      row,
      0,
      rows.get,
      1,
      source.set(from.get),
      target.set(to.get),
      forRange(
        group,
        0,
        groups.get,
        1,
        half(0),
        half(vectorBytes),
        source.advance(8 * groupOutputs),
        target.advance(4 * groupOutputs),
      ),
      from.advance(fromStride.get),
      to.advance(toStride.get),
    ),
  );
}
