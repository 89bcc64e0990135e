/**
 * Symmetric block quantisation as MatMulNBits reads it: each row is cut into blocks of 32 columns, each block has
 * one scale (that of four-bit codes fits into a bfloat16), and codes are unsigned around the middle (8 or 128).
 * `w ≈ scale · (code − middle)`.
 * Four-bit codes lie two to a byte, the earlier column in the low half.
 */

export const blockSize = 32;

export interface BlockCodes {
  /** `[rows, blocks, blockSize · bits / 8]` */
  readonly packed: Uint8Array;
  /** `[rows, blocks]` */
  readonly scales: Float32Array;
}

export const blocksPerRow = (columns: number): number => Math.ceil(columns / blockSize);
export const bytesPerBlock = (bits: 4 | 8): number => (blockSize * bits) / 8;

/**
 * Quantises `weights [rows, columns]` into `out`; a last block that is not full is padded with zeros. The scale
 * maps the entry of largest magnitude to the end of the range that has one code more, which keeps its sign exact.
 */
export function quantizeRows(
  weights: Float32Array,
  rows: number,
  columns: number,
  bits: 4 | 8,
  out: BlockCodes,
): void {
  const blocks = blocksPerRow(columns);
  const write = bits === 4 ? writeNibbles : writeBytes;
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const first = row * columns + block * blockSize;
      const last = Math.min(first + blockSize, (row + 1) * columns);
      const index = row * blocks + block;
      const scale = blockScale(weights, first, last, bits);
      out.scales[index] = scale;
      write(weights, first, last, scale, out.packed, index * bytesPerBlock(bits));
    }
  }
}

/** The float32 weights that a kernel sees, `[rows, columns]`. */
export function dequantizeRows(
  { packed, scales }: BlockCodes,
  rows: number,
  columns: number,
  bits: 4 | 8,
): Float32Array {
  const weights = new Float32Array(rows * columns);
  const blocks = blocksPerRow(columns);
  const middle = 1 << (bits - 1);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const code = row * blocks * blockSize + column;
      const value = bits === 8 ? packed[code]! : (packed[code >> 1]! >> (4 * (code & 1))) & 15;
      weights[row * columns + column] =
        scales[row * blocks + Math.floor(column / blockSize)]! * (value - middle);
    }
  }
  return weights;
}

function blockScale(weights: Float32Array, first: number, last: number, bits: 4 | 8): number {
  let extreme = 0;
  let magnitude = 0;
  for (let i = first; i < last; i++) {
    const size = Math.abs(weights[i]!);
    if (size > magnitude) {
      magnitude = size;
      extreme = weights[i]!;
    }
  }
  const scale = extreme === 0 ? 0 : Math.fround(extreme / -(1 << (bits - 1)));
  return bits === 4 ? toBfloat16(scale) : scale;
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** The nearest number of eight significant bits, halves away from zero; a scale needs no more. */
function toBfloat16(value: number): number {
  float[0] = value;
  floatBits[0] = (floatBits[0]! + 0x8000) & 0xffff0000;
  return float[0]!;
}

function writeNibbles(
  weights: Float32Array,
  first: number,
  last: number,
  scale: number,
  packed: Uint8Array,
  offset: number,
): void {
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < blockSize; i += 2) {
    const low = first + i < last ? code(weights[first + i]! * inverse, 8) : 8;
    const high = first + i + 1 < last ? code(weights[first + i + 1]! * inverse, 8) : 8;
    packed[offset + (i >> 1)] = low | (high << 4);
  }
}

function writeBytes(
  weights: Float32Array,
  first: number,
  last: number,
  scale: number,
  packed: Uint8Array,
  offset: number,
): void {
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < blockSize; i++) {
    packed[offset + i] = first + i < last ? code(weights[first + i]! * inverse, 128) : 128;
  }
}

function code(value: number, middle: number): number {
  const rounded = Math.floor(value + middle + 0.5);
  return Math.max(0, Math.min(2 * middle - 1, rounded));
}
