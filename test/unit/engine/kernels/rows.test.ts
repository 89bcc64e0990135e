import { describe, expect, it } from 'vitest';
import { peakRun } from '../../../../src/decoding/logit-row.js';
import { activationBlockBytes } from '../../../../src/engine/kernels/matmul.js';
import { LoadedKernels } from '../../../helpers/loaded-kernels.js';
import { seededFloats } from '../../../helpers/seeded.js';

const kernels = new LoadedKernels({ rmsNormEps: 1e-3 });
const { call } = kernels;
const closeTo = (actual: Float32Array, expected: readonly number[]): void => {
  expect(actual).toHaveLength(expected.length);
  const errors = expected.map((value, i) => Math.abs(actual[i]! - value) / (1 + Math.abs(value)));
  expect(Math.max(...errors)).toBeLessThan(1e-6);
};

describe('norm', () => {
  it('divides rows by the root of their mean square', () => {
    const [rows, weight] = [seededFloats(1, 3 * 20), seededFloats(2, 20)];
    const [from, to] = [kernels.put(rows), kernels.room(3 * 24)];
    call.rmsNorm(from, to, kernels.put(weight), 80, 3, 80, 96);
    for (let row = 0; row < 3; row++) {
      const x = [...rows.subarray(20 * row, 20 * row + 20)];
      const root = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / 20 + 1e-3);
      closeTo(
        kernels.floats(to + 96 * row, 20),
        x.map((value, i) => (value / root) * weight[i]!),
      );
    }
  });
});

/** Of the codes at a place of their quad, and of their right neighbours. */
const sumOf = (codes: Int8Array, place: number): number =>
  codes.reduce((sum, code, i) => sum + (i % 4 === place || i % 4 === place + 1 ? code : 0), 0);

describe('quantisation', () => {
  const quantized = (values: Float32Array) => {
    const to = kernels.room(64);
    call.quantize(kernels.put(values), to, values.length / 32, 1, 0, 0);
    return Array.from({ length: values.length / 32 }, (_, block) => {
      const at = to + block * activationBlockBytes;
      const codes = new Int8Array(kernels.memory.memory.buffer, at, 32).slice();
      const offsets = [...new Int16Array(kernels.memory.memory.buffer, at + 36, 2)];
      return { codes, scale: kernels.floats(at + 32, 1)[0]!, offsets };
    });
  };

  it('rounds every block of 32 to 127ths of its largest value', () => {
    const values = seededFloats(3, 64, 5);
    quantized(values).forEach(({ codes, scale, offsets }, block) => {
      const own = values.subarray(32 * block, 32 * block + 32);
      expect(scale).toBe(Math.fround(Math.max(...own.map(Math.abs)) / 127));
      expect(Math.max(...codes.map(Math.abs))).toBe(127);
      for (const [i, value] of own.entries()) {
        expect(Math.abs(codes[i]! * scale - value)).toBeLessThan(0.5001 * scale);
      }
      expect(offsets).toEqual([0, 2].map((place) => -8 * sumOf(codes, place)));
    });
  });

  it('leaves a block of zeros zero', () => {
    expect(quantized(new Float32Array(32))).toEqual([
      { codes: new Int8Array(32), scale: 0, offsets: [0, 0] },
    ]);
  });
});

describe('gated activation', () => {
  it.each([1, 30, 300])('is silu(gate) · up for gates up to %d', (scale) => {
    const pairs = seededFloats(4, 2 * 16, scale);
    const to = kernels.room(16);
    call.gated(kernels.put(pairs), to, 2, 1, 0, 0);
    const expected = [0, 1].flatMap((group) =>
      Array.from({ length: 8 }, (_, i) => {
        const [gate, up] = [pairs[16 * group + i]!, pairs[16 * group + 8 + i]!];
        return (gate / (1 + Math.exp(-gate))) * up;
      }),
    );
    closeTo(kernels.floats(to, 16), expected);
  });
});

describe('peaks', () => {
  it('are the largest of every run, and NaN where not all of it is finite', () => {
    const logits = seededFloats(7, 5 * peakRun, 30).map((value) => value - 40);
    logits[peakRun + 63] = Number.NaN;
    logits[2 * peakRun] = Number.POSITIVE_INFINITY;
    logits[3 * peakRun + 5] = Number.NEGATIVE_INFINITY;
    const peaks = kernels.room(5);
    call.peaks(kernels.put(logits), 4, peaks);
    const largest = Math.max(...logits.subarray(0, peakRun));
    expect([...kernels.floats(peaks, 5)]).toEqual([largest, Number.NaN, Number.NaN, Number.NaN, 0]);
  });
});

describe('bias', () => {
  it('goes to every row and nowhere else', () => {
    const to = kernels.put(seededFloats(5, 24));
    const before = kernels.floats(to, 24);
    const bias = seededFloats(6, 8);
    call.add(to, kernels.put(bias), 32, 2, 48);
    const after = before.map((value, i) => (i % 12 < 8 ? Math.fround(value + bias[i % 12]!) : value));
    expect(kernels.floats(to, 24)).toEqual(after);
  });
});
