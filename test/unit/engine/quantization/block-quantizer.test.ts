import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  blockSize,
  blocksPerRow,
  bytesPerBlock,
  dequantizeRows,
  quantizeRows,
} from '../../../../src/engine/quantization/block-quantizer.js';
import { seededFloats } from '../../../helpers/seeded.js';

type Bits = 4 | 8;

function quantize(weights: Float32Array, rows: number, columns: number, bits: Bits) {
  const blocks = rows * blocksPerRow(columns);
  const out = { packed: new Uint8Array(blocks * bytesPerBlock(bits)), scales: new Float32Array(blocks) };
  quantizeRows(weights, rows, columns, bits, out);
  return out;
}

/** Codes of one block, one after another, unpacked by hand. */
function codesOf(packed: Uint8Array, block: number, bits: Bits): number[] {
  const bytes = [...packed.subarray(block * bytesPerBlock(bits), (block + 1) * bytesPerBlock(bits))];
  return bits === 8 ? bytes : bytes.flatMap((byte) => [byte % 16, Math.floor(byte / 16)]);
}

/** The definition, one block at a time, without any of the shortcuts. */
function literalCodes(block: readonly number[], bits: Bits): { scale: number; codes: number[] } {
  const middle = 2 ** (bits - 1);
  const extreme = block.reduce((best, w) => (Math.abs(w) > Math.abs(best) ? w : best), 0);
  const scale = Math.fround(-extreme / middle);
  const padded = [...block, ...Array<number>(blockSize - block.length).fill(0)];
  const codes = padded.map((w) => {
    const code = Math.round((scale === 0 ? 0 : w / scale) + middle);
    return Math.min(2 * middle - 1, Math.max(0, code));
  });
  return { scale, codes };
}

const shapes = fc.record({
  rows: fc.integer({ min: 1, max: 4 }),
  columns: fc.integer({ min: 1, max: 100 }),
  bits: fc.constantFrom<Bits>(4, 8),
  seed: fc.integer(),
  magnitude: fc.constantFrom(1e-6, 0.02, 1, 300),
});

describe.each<Bits>([4, 8])('int%i', (bits) => {
  it('should give the codes and scales of the definition', () => {
    for (const columns of [32, 33, 64, 72, 20]) {
      const weights = seededFloats(columns, 3 * columns, 0.1);
      const { packed, scales } = quantize(weights, 3, columns, bits);
      const blocks = blocksPerRow(columns);
      for (let block = 0; block < 3 * blocks; block++) {
        const start = Math.floor(block / blocks) * columns + (block % blocks) * blockSize;
        const end = Math.min(start + blockSize, (Math.floor(block / blocks) + 1) * columns);
        const expected = literalCodes([...weights.subarray(start, end)], bits);
        expect(scales[block]).toBe(expected.scale);
        expect(codesOf(packed, block, bits)).toEqual(expected.codes);
      }
    }
  });

  it('should give a block of zeros the scale 0 and the code of zero', () => {
    const { packed, scales } = quantize(new Float32Array(64), 1, 64, bits);
    expect(scales.every((scale) => scale === 0)).toBe(true);
    expect(codesOf(packed, 1, bits)).toEqual(Array(32).fill(2 ** (bits - 1)));
    expect(dequantizeRows({ packed, scales }, 1, 64, bits).every((weight) => weight === 0)).toBe(true);
  });

  it('should pad the last block of a row with zeros and leave the next row alone', () => {
    const weights = Float32Array.from({ length: 2 * 33 }, (_, i) => (i < 33 ? 1 : -2));
    const { packed, scales } = quantize(weights, 2, 33, bits);
    const zero = 2 ** (bits - 1);
    expect(codesOf(packed, 1, bits)).toEqual([0, ...Array(31).fill(zero)]);
    expect(dequantizeRows({ packed, scales }, 2, 33, bits)).toEqual(weights);
  });

  it('should keep the entry of largest magnitude exactly, whatever its sign', () => {
    for (const extreme of [0.5, -0.5]) {
      const weights = seededFloats(3, 32, 0.1);
      weights[17] = extreme;
      expect(dequantizeRows(quantize(weights, 1, 32, bits), 1, 32, bits)[17]).toBe(extreme);
    }
  });
});

it('should stay within half a step of every weight but those that the short end of the range clips', () => {
  fc.assert(
    fc.property(shapes, ({ rows, columns, bits, seed, magnitude }) => {
      const weights = seededFloats(seed, rows * columns, magnitude);
      const codes = quantize(weights, rows, columns, bits);
      const back = dequantizeRows(codes, rows, columns, bits);
      const highest = 2 ** (bits - 1) - 1;
      for (let i = 0; i < weights.length; i++) {
        const block = Math.floor(i / columns) * blocksPerRow(columns) + Math.floor((i % columns) / blockSize);
        const scale = codes.scales[block]!;
        const isClipped = weights[i]! / scale > highest + 0.5;
        const allowed = (isClipped ? 1 : 0.500001) * Math.abs(scale);
        if (Math.abs(weights[i]! - back[i]!) > allowed) return false;
      }
      return true;
    }),
    { seed: 1, numRuns: 200 },
  );
});

it('should give equal bytes for equal rows, however they are cut into calls', () => {
  fc.assert(
    fc.property(shapes, ({ rows, columns, bits, seed }) => {
      const weights = seededFloats(seed, rows * columns);
      const whole = quantize(weights, rows, columns, bits);
      const parts = Array.from({ length: rows }, (_, row) =>
        quantize(weights.subarray(row * columns, (row + 1) * columns), 1, columns, bits),
      );
      expect(Buffer.concat(parts.map((part) => part.packed))).toEqual(Buffer.from(whole.packed));
      expect(parts.flatMap((part) => [...part.scales])).toEqual([...whole.scales]);
    }),
    { seed: 2, numRuns: 50 },
  );
});

it('should keep what it has quantised once: codes of dequantised weights are the same codes', () => {
  fc.assert(
    fc.property(shapes, ({ rows, columns, bits, seed, magnitude }) => {
      const codes = quantize(seededFloats(seed, rows * columns, magnitude), rows, columns, bits);
      const again = quantize(dequantizeRows(codes, rows, columns, bits), rows, columns, bits);
      expect(again).toEqual(codes);
    }),
    { seed: 3, numRuns: 100 },
  );
});
