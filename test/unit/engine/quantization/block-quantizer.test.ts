import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockCodes } from '../../../../src/engine/quantization/block-quantizer.js';
import {
  blockSize,
  blocksPerRow,
  bytesPerBlock,
  dequantizeRows,
  quantizeRows,
} from '../../../../src/engine/quantization/block-quantizer.js';

function quantize(weights: Float32Array, rows: number, columns: number, bits: 4 | 8): BlockCodes {
  const blocks = rows * blocksPerRow(columns);
  const codes = { packed: new Uint8Array(blocks * bytesPerBlock(bits)), scales: new Float32Array(blocks) };
  quantizeRows(weights, rows, columns, bits, codes);
  return codes;
}

describe.each([4, 8] as const)('%i-bit blocks', (bits) => {
  const middle = 1 << (bits - 1);

  it('should keep every weight within half a step, and within one at the end that has no code', () => {
    const shape = fc.record({
      rows: fc.integer({ min: 1, max: 4 }),
      columns: fc.integer({ min: 1, max: 100 }),
    });
    const property = fc.property(
      shape,
      fc.infiniteStream(fc.float({ min: -8, max: 8, noNaN: true })),
      (size, stream) => {
        const { rows, columns } = size;
        const weights = Float32Array.from({ length: rows * columns }, () => stream.next().value);
        const codes = quantize(weights, rows, columns, bits);
        const back = dequantizeRows(codes, rows, columns, bits);
        for (let i = 0; i < weights.length; i++) {
          const block =
            Math.floor(i / columns) * blocksPerRow(columns) + Math.floor((i % columns) / blockSize);
          const step = Math.abs(codes.scales[block]!);
          expect(Math.abs(weights[i]! - back[i]!)).toBeLessThanOrEqual(step * 1.0001 + 1e-12);
        }
      },
    );
    fc.assert(property, { seed: 7, numRuns: 60 });
  });

  it('should give the largest magnitude of a block exactly', () => {
    const weights = Float32Array.from({ length: blockSize }, (_, i) => Math.sin(i));
    weights[5] = -3;
    expect(dequantizeRows(quantize(weights, 1, blockSize, bits), 1, blockSize, bits)[5]).toBe(-3);
  });

  it('should fill a last block that is not full with the code of zero', () => {
    const { packed } = quantize(new Float32Array(blockSize + 1).fill(1), 1, blockSize + 1, bits);
    const padding = packed.subarray(bytesPerBlock(bits) + 1);
    expect(new Set(padding)).toEqual(new Set([bits === 4 ? middle | (middle << 4) : middle]));
  });

  it('should turn a block of zeros into zeros', () => {
    expect(dequantizeRows(quantize(new Float32Array(40), 1, 40, bits), 1, 40, bits)).toEqual(
      new Float32Array(40),
    );
  });
});

it('should put the earlier of two 4-bit codes into the low half of a byte', () => {
  const weights = new Float32Array(blockSize);
  weights[0] = -8;
  weights[1] = 3;
  expect(quantize(weights, 1, blockSize, 4).packed[0]).toBe(0 | ((3 + 8) << 4));
});
