/**
 * Rows of int8 activations times int4 weights, both in blocks of 32, as MatMulNBits of accuracy level 4 computes them:
 *
 *   out[r, n] = Σ over blocks  scaleA[r, b] · scaleW[n, b] · Σ_k a[r, k] · (w[n, k] − 8)
 *
 * The lanes of a vector are outputs, so nothing is added across lanes: four neighbouring activations, repeated in all
 * lanes, meet four neighbouring weights of four outputs. Half the products of a block sum to at most 16 · 127 · 8, which
 * fits into 16 bits, so a block needs one widening; codes count from 0, so sums begin with what makes up for it, and
 * may wrap around on their way. What a row gives does not depend on how many rows there are.
 */

import { blockSize } from '../quantization/block-quantizer.js';
import { apart, type Code, f32x4, forRange, i16x8, i32, i32x4, loop, steps, v128 } from './wasm/code.js';
import { Kernel, type Local } from './wasm/module.js';

/** Outputs of a group: four in the low halves of the bytes, four in the high ones. */
export const groupOutputs = 8;
/** Four weights of each output of a group. */
export const quadBytes = 16;
const quads = blockSize / 4;
const quadsBytes = quads * quadBytes;
/** Codes of a group, then its eight scales in bfloat16, those of high and low outputs taking turns. */
export const weightBlockBytes = quadsBytes + 2 * groupOutputs;
/**
 * Codes, then the scale, then two 16-bit sums of −8 times the codes: of those at the places 0 and 1 of a quad, and of
 * those at 2 and 3.
 */
export const activationBlockBytes = blockSize + 8;
/** Rows that share an unpacked weight; with more, the compiler runs out of registers. */
const tileSizes = [3, 2, 1];

/** What the kernel keeps of a row of activations. */
class TileRow {
  readonly codes: Local;
  /** 16-bit sums of a block, for the low and the high outputs. */
  readonly sums: readonly Local[];
  readonly totals: readonly Local[];

  constructor(kernel: Kernel) {
    this.codes = kernel.local('i32');
    this.sums = kernel.locals('v128', 2);
    this.totals = kernel.locals('v128', 2);
  }
}

/**
 * `weights` are packed groups, `codes` quantised rows `codeStride` bytes apart, `out` float32 rows `outStride` bytes
 * apart. An adding kernel adds to what is in `out`.
 */
export function matmulKernel(name: string, adds: boolean): Kernel {
  const kernel = new Kernel(name, [
    'weights',
    'codes',
    'out',
    'groups',
    'blocks',
    'rows',
    'codeStride',
    'outStride',
  ]);
  const { weights, codes, out, groups, blocks, rows, codeStride, outStride } = kernel.parameters;
  const { row, from, to, at, block } = kernel.variables('i32', 'row', 'from', 'to', 'at', 'block');
  const { low, high, x, halfByte, ones, upperHalf } = kernel.variables(
    'v128',
    'low',
    'high',
    'x',
    'halfByte',
    'ones',
    'upperHalf',
  );
  const tile = Array.from({ length: Math.max(...tileSizes) }, () => new TileRow(kernel));

  const quad = (used: readonly TileRow[], i: number): Code => [
    low.set(v128.load(at.get, quadBytes * i)),
    high.set(v128.and(i16x8.shiftRight(low.get, 4), halfByte.get)),
    low.set(v128.and(low.get, halfByte.get)),
    ...used.flatMap(({ codes: address, sums }) => [
      x.set(v128.loadSplat32(address.get, 4 * i)),
      ...[low, high].map((half, j) => sums[j]!.set(i16x8.add(sums[j]!.get, i16x8.dotBytes(x.get, half.get)))),
    ]),
  ];
  const widened = ({ codes: address, sums, totals }: TileRow): Code => [
    x.set(v128.loadSplat32(address.get, blockSize)),
    ...[low, high].map((scales, half) => {
      const sum = f32x4.fromSigned(i32x4.dotShorts(sums[half]!.get, ones.get));
      return totals[half]!.set(f32x4.multiplyAdd(sum, f32x4.mul(scales.get, x.get), totals[half]!.get));
    }),
    address.advance(activationBlockBytes),
  ];
  const oneBlock = (used: readonly TileRow[]): Code => [
    ...used.flatMap(({ codes: address, sums }) =>
      sums.map((sum) => sum.set(v128.loadSplat32(address.get, blockSize + 4))),
    ),
    apart(
      at,
      steps(quads, 1).map((i) => quad(used, i)),
    ),
    // A bfloat16 is the upper half of a float32.
    high.set(v128.load(at.get, quadsBytes)),
    low.set(i32x4.shiftLeft(high.get, 16)),
    high.set(v128.and(high.get, upperHalf.get)),
    ...used.map(widened),
    at.advance(weightBlockBytes),
  ];
  const stored = ({ totals }: TileRow): Code => [
    ...totals.map((total, half) =>
      v128.store(to.get, adds ? f32x4.add(v128.load(to.get, 16 * half), total.get) : total.get, 16 * half),
    ),
    to.advance(outStride.get),
  ];
  const someRows = (used: readonly TileRow[]): Code => [
    at.set(weights.get),
    ...used.map(({ codes: address }) => [address.set(from.get), from.advance(codeStride.get)]),
    ...used.flatMap(({ totals }) => totals.map((total) => total.set(v128.zero))),
    forRange(block, 0, blocks.get, 1, oneBlock(used)),
    ...used.map(stored),
  ];
  return kernel.body(
    halfByte.set(v128.bytes(Array<number>(16).fill(15))),
    upperHalf.set(v128.bytes(Array<number[]>(4).fill([0, 0, 255, 255]).flat())),
    ones.set(v128.bytes(Array<number[]>(8).fill([1, 0]).flat())),
    loop(
      [
        from.set(codes.get),
        to.set(out.get),
        // `row` is the last of a tile, the next smaller of which ends one row earlier.
        row.set(tileSizes[0]!),
        tileSizes.map((size) =>
          forRange(row, i32.sub(row.get, 1), rows.get, size, someRows(tile.slice(0, size))),
        ),
        weights.set(at.get),
        out.advance(4 * groupOutputs),
        groups.advance(-1),
      ],
      i32.lessThan(0, groups.get),
    ),
  );
}
