/**
 * Rows of int8 activations times int4 weights, both in blocks of 32, as MatMulNBits of accuracy level 4 computes them:
 *
 *   out[r, n] = Σ over blocks  scaleA[r, b] · scaleW[n, b] · Σ_k a[r, k] · (w[n, k] − 8)
 *
 * The lanes of a vector are outputs, so nothing is added across lanes: four neighbouring activations, repeated in all
 * lanes, meet four neighbouring weights of four outputs. The products of a block are at most 127 · 15 each, of which
 * sixteen fit into 16 bits, so a block needs one widening. What a row gives does not depend on how many rows there are.
 */

import { blockSize } from '../quantization/block-quantizer.js';
import { type Code, f32x4, forRange, i16x8, i32, i32x4, loop, v128 } from './wasm/code.js';
import { Kernel, type Local } from './wasm/module.js';

/** Outputs of a group: four in the low halves of the bytes, four in the high ones. */
export const groupOutputs = 8;
/** Four weights of each output of a group. */
export const quadBytes = 16;
const quadsBytes = (blockSize / 4) * quadBytes;
/** Codes of a group, then its eight scales in bfloat16, those of high and low outputs taking turns. */
export const weightBlockBytes = quadsBytes + 2 * groupOutputs;
/** Codes, then the scale, then −8 times the sum of the codes. */
export const activationBlockBytes = blockSize + 8;
/** Rows that share an unpacked weight; with more, the compiler runs out of registers. */
const tileRows = 2;

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
  const { row, from, to, at, block, quadEnd } = kernel.variables(
    'i32',
    'row',
    'from',
    'to',
    'at',
    'block',
    'quadEnd',
  );
  const { low, high, x, halfByte, ones, upperHalf } = kernel.variables(
    'v128',
    'low',
    'high',
    'x',
    'halfByte',
    'ones',
    'upperHalf',
  );
  const tile = Array.from({ length: tileRows }, () => new TileRow(kernel));

  const quad = (used: readonly TileRow[]): Code => [
    low.set(v128.load(at.get)),
    high.set(v128.and(i16x8.shiftRight(low.get, 4), halfByte.get)),
    low.set(v128.and(low.get, halfByte.get)),
    ...used.flatMap(({ codes: address, sums }) => [
      x.set(v128.loadSplat32(address.get)),
      ...[low, high].map((half, i) => sums[i]!.set(i16x8.add(sums[i]!.get, i16x8.dotBytes(x.get, half.get)))),
      address.advance(4),
    ]),
    at.advance(quadBytes),
  ];
  const widened = ({ codes: address, sums, totals }: TileRow, half: number): Code => {
    const centred = i32x4.add(i32x4.dotShorts(sums[half]!.get, ones.get), v128.loadSplat32(address.get, 4));
    const scale = f32x4.mul([low, high][half]!.get, v128.loadSplat32(address.get));
    return totals[half]!.set(f32x4.multiplyAdd(f32x4.fromSigned(centred), scale, totals[half]!.get));
  };
  const oneBlock = (used: readonly TileRow[]): Code => [
    ...used.flatMap(({ sums }) => sums.map((sum) => sum.set(v128.zero))),
    quadEnd.set(i32.add(at.get, quadsBytes)),
    loop(quad(used), i32.lessThan(at.get, quadEnd.get)),
    // A bfloat16 is the upper half of a float32.
    high.set(v128.load(at.get)),
    low.set(i32x4.shiftLeft(high.get, 16)),
    high.set(v128.and(high.get, upperHalf.get)),
    ...used.flatMap((tileRow) => [widened(tileRow, 0), widened(tileRow, 1), tileRow.codes.advance(8)]),
    at.advance(2 * groupOutputs),
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
        forRange(row, tileRows - 1, rows.get, tileRows, someRows(tile)),
        forRange(row, i32.sub(row.get, tileRows - 1), rows.get, 1, someRows(tile.slice(0, 1))),
        weights.set(at.get),
        out.advance(4 * groupOutputs),
        groups.advance(-1),
      ],
      i32.lessThan(0, groups.get),
    ),
  );
}
