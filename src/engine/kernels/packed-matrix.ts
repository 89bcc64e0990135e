/** The order in which the matrix kernel reads four-bit codes: eight outputs side by side, block after block. */

import { blockSize, bytesPerBlock } from '../quantization/block-quantizer.js';
import { groupOutputs, weightBlockBytes } from './matmul.js';

/** As the quantiser writes them: codes `[rows, blocks, 16]`, two to a byte, and bfloat16 scales `[rows, blocks]`. */
export interface BlockRows {
  readonly packed: Uint8Array;
  readonly scales: Float32Array;
}

const quads = blockSize / 4;
/** Of a block of a group. */
const codeBytes = bytesPerBlock(4) * groupOutputs;
const halfOutputs = groupOutputs / 2;

export const groupsFor = (outputs: number): number => Math.ceil(outputs / groupOutputs);
export const groupBytes = (blocks: number): number => blocks * weightBlockBytes;

/**
 * Writes groups into `target`, the first of them being group `first`, `stride` groups apart; outputs that fill up the
 * last group have scale 0.
 */
export function packGroups(
  { packed, scales }: BlockRows,
  blocks: number,
  target: Uint8Array,
  first = 0,
  stride = 1,
): void {
  const rows = scales.length / blocks;
  const source = new Uint16Array(packed.buffer, packed.byteOffset, packed.length / 2);
  const words = new Uint32Array(target.buffer, target.byteOffset, target.length / 4);
  const halves = new Uint16Array(target.buffer, target.byteOffset, target.length / 2);
  const scaleBits = new Uint32Array(scales.buffer, scales.byteOffset, scales.length);
  for (let row = 0; row < rows; row++) {
    const group = first + Math.floor(row / groupOutputs) * stride;
    const lane = row % halfOutputs;
    const half = row % groupOutputs < halfOutputs ? 0 : 1;
    for (let block = 0; block < blocks; block++) {
      const to = (group * blocks + block) * weightBlockBytes;
      const index = row * blocks + block;
      writeCodes(source, index * quads, words, to / 4 + lane, 4 * half);
      halves[(to + codeBytes) / 2 + 2 * lane + half] = scaleBits[index]! >>> 16;
    }
  }
}

/** The four codes of a quad go from the nibbles of 16 bits to the low or the high halves of four bytes. */
function writeCodes(source: Uint16Array, from: number, words: Uint32Array, to: number, shift: number): void {
  for (let quad = 0; quad < quads; quad++) {
    const codes = source[from + quad]!;
    const spread = (codes & 0xf) | ((codes & 0xf0) << 4) | ((codes & 0xf00) << 8) | ((codes & 0xf000) << 12);
    words[to + halfOutputs * quad]! |= spread << shift;
  }
}
