import { describe, expect, test } from 'vitest';
import { byteLengthOf, isDtype, widenBf16, widenF16 } from '../../../../src/engine/checkpoint/dtype.js';

const wide = (widen: typeof widenF16, bits: number[]) => {
  const out = new Float32Array(bits.length);
  widen(Uint16Array.from(bits), out);
  return [...out];
};

describe('widening half precision', () => {
  test('reads the known values of binary16', () => {
    const bits = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x3555, 0x7c00, 0xfc00];
    const values = [1, -2, 65504, 2 ** -14, 2 ** -24, 0.333251953125, Infinity, -Infinity];
    expect(wide(widenF16, bits)).toEqual(values);
  });

  test('keeps the sign of zero and reads NaN', () => {
    expect(Object.is(wide(widenF16, [0x8000])[0], -0)).toBe(true);
    expect(wide(widenF16, [0x7e01])[0]).toBeNaN();
    expect(wide(widenBf16, [0x7fc0])[0]).toBeNaN();
  });

  test('reads the known values of bfloat16', () => {
    const bits = [0x3f80, 0xc040, 0x0080, 0x8000, 0x7f80, 0x4049];
    expect(wide(widenBf16, bits)).toEqual([1, -3, 2 ** -126, -0, Infinity, 3.140625]);
  });

  test('agrees with shifting the bits into a float32, for every finite half', () => {
    const finite = Array.from({ length: 65_536 }, (_, bits) => bits).filter(
      (bits) => (bits & 0x7c00) !== 0x7c00,
    );
    const shifted = new Float32Array(Uint32Array.from(finite, (bits) => (bits & 0x7fff) << 13).buffer);
    const expected = finite.map((bits, i) => shifted[i]! * 2 ** 112 * (bits & 0x8000 ? -1 : 1));
    expect(wide(widenF16, finite)).toEqual(expected);
  });
});

describe('element types', () => {
  test('are looked up by their own names only', () => {
    expect(isDtype('BF16')).toBe(true);
    for (const name of ['bf16', 'toString', '__proto__', '', 7, null]) expect(isDtype(name)).toBe(false);
  });

  test('have no byte length where it is not a whole safe number', () => {
    expect(byteLengthOf('F4', 6)).toBe(3);
    expect(byteLengthOf('F4', 5)).toBeNaN();
    expect(byteLengthOf('F64', 2 ** 50)).toBeNaN();
    expect(byteLengthOf('F32', Number.POSITIVE_INFINITY)).toBeNaN();
  });
});
