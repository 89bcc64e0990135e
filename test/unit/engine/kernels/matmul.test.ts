import { describe, expect, it } from 'vitest';
import { activationBlockBytes, groupOutputs } from '../../../../src/engine/kernels/matmul.js';
import { groupBytes, groupsFor, packGroups } from '../../../../src/engine/kernels/packed-matrix.js';
import {
  blockSize,
  dequantizeRows,
  quantizeRows,
} from '../../../../src/engine/quantization/block-quantizer.js';
import { LoadedKernels } from '../../../helpers/loaded-kernels.js';
import { seededFloats } from '../../../helpers/seeded.js';

const kernels = new LoadedKernels();

/** A matrix in memory, quantised activations, and the product by hand. */
function product(outputs: number, columns: number, rows: number) {
  const blocks = Math.ceil(columns / blockSize);
  const codes = { packed: new Uint8Array(outputs * blocks * 16), scales: new Float32Array(outputs * blocks) };
  quantizeRows(seededFloats(1, outputs * columns), outputs, columns, 4, codes);
  const groups = groupsFor(outputs);
  const weights = kernels.memory.take(groups * groupBytes(blocks));
  packGroups(codes, blocks, kernels.memory.bytes(weights, groups * groupBytes(blocks)));
  const padded = new Float32Array(rows * blocks * blockSize);
  for (let row = 0; row < rows; row++)
    padded.set(seededFloats(9 + row, columns, 3), row * blocks * blockSize);
  const stride = blocks * activationBlockBytes;
  const activations = kernels.memory.take(rows * stride);
  kernels.call.quantize(kernels.put(padded), activations, blocks, rows, 4 * blocks * blockSize, stride);
  const value = (row: number, column: number): number => {
    const at = activations + row * stride + Math.floor(column / blockSize) * activationBlockBytes;
    const code = new Int8Array(kernels.memory.memory.buffer, at + (column % blockSize), 1)[0]!;
    return code * kernels.floats(at + blockSize, 1)[0]!;
  };
  const w = dequantizeRows(codes, outputs, columns, 4);
  const expected = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: outputs }, (_, output) => {
      let sum = 0;
      for (let k = 0; k < columns; k++) sum += value(row, k) * w[output * columns + k]!;
      return sum;
    }),
  );
  const outStride = 4 * groups * groupOutputs;
  const run = (
    count: number,
    name: 'matmul' | 'matmulAdd' = 'matmul',
    first = 0,
    out = kernels.room(rows * groups * groupOutputs),
  ) => {
    kernels.call[name](weights, activations + first * stride, out, groups, blocks, count, stride, outStride);
    return Array.from({ length: count }, (_, row) => kernels.floats(out + row * outStride, outputs));
  };
  return { expected, run, groups };
}

describe('the product of rows and packed four-bit weights', () => {
  it.each([
    [8, 32, 1],
    [24, 96, 2],
    [21, 80, 3],
    [5, 33, 6],
    [64, 1536, 4],
  ])('is that of their values: %d outputs, %d columns, %d rows', (outputs, columns, rows) => {
    const { expected, run } = product(outputs, columns, rows);
    run(rows).forEach((actual, row) => {
      const errors = [...actual].map((value, i) => Math.abs(value - expected[row]![i]!));
      expect(Math.max(...errors)).toBeLessThan(1e-3);
    });
  });

  it('has the same bits for a row alone and among others', () => {
    const { run } = product(40, 160, 7);
    const together = run(7);
    for (const [i, row] of together.entries()) expect(run(1, 'matmul', i)).toEqual([row]);
  });

  it('adds to what is there', () => {
    const { run, groups } = product(16, 64, 2);
    const plain = run(2);
    const out = kernels.put(new Float32Array(2 * groups * groupOutputs).fill(0.5));
    run(2, 'matmulAdd', 0, out).forEach((row, i) => {
      expect(row).toEqual(plain[i]!.map((value) => Math.fround(0.5 + value)));
    });
  });

  it('does not overflow on the largest codes there are', () => {
    const packed = new Uint8Array(8 * 16).fill(0xff);
    const weights = kernels.memory.take(groupBytes(1));
    packGroups(
      { packed, scales: new Float32Array(8).fill(1) },
      1,
      kernels.memory.bytes(weights, groupBytes(1)),
    );
    const [activations, out] = [kernels.memory.take(activationBlockBytes), kernels.room(8)];
    kernels.call.quantize(kernels.put(new Float32Array(32).fill(127)), activations, 1, 1, 0, 0);
    kernels.call.matmul(weights, activations, out, 1, 1, 1, 0, 0);
    expect([...kernels.floats(out, 8)]).toEqual(Array<number>(8).fill(32 * 127 * 7));
  });
});
