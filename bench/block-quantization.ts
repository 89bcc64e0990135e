/**
 * Symmetric quantisation of blocks of 32 values, in the three layouts that the peers read: ggml's Q4_0 and Q8_0
 * and the packed weights of ONNX Runtime's MatMulNBits.
 */

export const blockSize = 32;

/** 4-bit: q = round(x / scale) + 8 in 0..15, where scale = (the value of largest magnitude) / -8. */
export interface FourBitBlocks {
  /** One value in 0..15 per weight. */
  readonly quants: Uint8Array;
  /** One per block. */
  readonly scales: Float32Array;
}

export function quantizeFourBit(values: Float32Array): FourBitBlocks {
  const quants = new Uint8Array(values.length);
  const scales = new Float32Array(values.length / blockSize);
  for (let block = 0; block < scales.length; block++) {
    const start = block * blockSize;
    let extreme = 0;
    for (let i = start; i < start + blockSize; i++) {
      if (Math.abs(values[i]!) > Math.abs(extreme)) extreme = values[i]!;
    }
    const scale = extreme / -8;
    const inverse = scale === 0 ? 0 : 1 / scale;
    scales[block] = scale;
    for (let i = start; i < start + blockSize; i++) {
      quants[i] = Math.min(15, Math.floor(values[i]! * inverse + 8.5));
    }
  }
  return { quants, scales };
}

/** Q4_0: per block a half-precision scale, then 16 bytes that hold value j low and value j + 16 high. */
export function packQ40({ quants, scales }: FourBitBlocks): Uint8Array {
  const bytesPerBlock = 2 + blockSize / 2;
  const bytes = new Uint8Array(scales.length * bytesPerBlock);
  for (let block = 0; block < scales.length; block++) {
    const start = block * blockSize;
    let at = writeHalf(bytes, block * bytesPerBlock, scales[block]!);
    for (let j = 0; j < blockSize / 2; j++) {
      bytes[at++] = quants[start + j]! | (quants[start + j + blockSize / 2]! << 4);
    }
  }
  return bytes;
}

/** MatMulNBits: 16 bytes per block that hold value 2j low and value 2j + 1 high; scales lie apart. */
export function packMatMulNBits({ quants }: FourBitBlocks): Uint8Array {
  const bytes = new Uint8Array(quants.length / 2);
  for (let j = 0; j < bytes.length; j++) bytes[j] = quants[2 * j]! | (quants[2 * j + 1]! << 4);
  return bytes;
}

/** Q8_0: per block a half-precision scale = (largest magnitude) / 127, then 32 signed bytes. */
export function quantizeQ80(values: Float32Array): Uint8Array {
  const bytesPerBlock = 2 + blockSize;
  const bytes = new Uint8Array((values.length / blockSize) * bytesPerBlock);
  for (let block = 0; block < values.length / blockSize; block++) {
    const start = block * blockSize;
    let largest = 0;
    for (let i = start; i < start + blockSize; i++) largest = Math.max(largest, Math.abs(values[i]!));
    const scale = largest / 127;
    const inverse = scale === 0 ? 0 : 1 / scale;
    let at = writeHalf(bytes, block * bytesPerBlock, scale);
    for (let i = start; i < start + blockSize; i++) bytes[at++] = Math.round(values[i]! * inverse);
  }
  return bytes;
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** Writes a normal, in-range half-precision number at `at` (rounding half up) and returns the next position. */
function writeHalf(bytes: Uint8Array, at: number, value: number): number {
  float[0] = value;
  const bits = floatBits[0]!;
  const rounded = ((bits & 0x7fffffff) + 0x1000) >>> 13;
  const exponentShift = (127 - 15) << 10;
  const half = value === 0 ? 0 : ((bits >>> 16) & 0x8000) | (rounded - exponentShift);
  bytes[at] = half & 0xff;
  bytes[at + 1] = half >>> 8;
  return at + 2;
}
