/** Element types of the safetensors format, and the widening of its half-precision floats to float32. */

/** Bits per element. */
const dtypeBits = {
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
  F8_E8M0: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  I64: 64,
  U64: 64,
  F64: 64,
  C64: 64,
} as const;

export type Dtype = keyof typeof dtypeBits;
/** What weights may be stored in; everything else in a checkpoint is only listed. */
export type FloatDtype = 'F32' | 'F16' | 'BF16';

export function isDtype(name: unknown): name is Dtype {
  return typeof name === 'string' && Object.hasOwn(dtypeBits, name);
}

export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/** Bytes that `elements` take, or NaN where that is not a whole, exactly representable number. */
export function byteLengthOf(dtype: Dtype, elements: number): number {
  const bits = elements * dtypeBits[dtype];
  return Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : Number.NaN;
}

/** bfloat16 is the upper half of a float32. Reads `to.length` elements. */
export function widenBf16(from: Uint16Array, to: Float32Array): void {
  const bits = new Uint32Array(to.buffer, to.byteOffset, to.length);
  for (let i = 0; i < bits.length; i++) bits[i] = from[i]! << 16;
}

/** Reads `to.length` elements. */
export function widenF16(from: Uint16Array, to: Float32Array): void {
  const table = halfTable();
  for (let i = 0; i < to.length; i++) to[i] = table[from[i]!]!;
}

let halves: Float32Array | undefined;

function halfTable(): Float32Array {
  halves ??= Float32Array.from({ length: 65_536 }, (_, bits) => halfToNumber(bits));
  return halves;
}

/** IEEE 754 binary16: 1 sign bit, 5 exponent bits (bias 15), 10 fraction bits. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
