/**
 * What a step says about positions and visibility, as plain data for the graph. Sizes: b lanes, t new tokens per
 * lane, c capacity of the cache, g query heads per KV head.
 */

/** Added to the score of a hidden key; its weight is exactly 0 after the softmax. */
const hidden = -1e30;

/**
 * `[b, 1, t, c + t]`: each new token sees the cached tokens of its lane, itself and the new ones before it.
 * `lengths` are the cached tokens per lane.
 */
export function causalMask(
  lengths: readonly number[],
  rows: number,
  capacity: number,
  out: Float32Array,
): void {
  const width = capacity + rows;
  let start = 0;
  for (const length of lengths) {
    for (let row = 0; row < rows; row++, start += width) {
      out.fill(0, start, start + length);
      out.fill(hidden, start + length, start + capacity);
      out.fill(0, start + capacity, start + capacity + row + 1);
      out.fill(hidden, start + capacity + row + 1, start + width);
    }
  }
}

/**
 * `[b, (g + 2) · t]`: rows of the rotary tables for the query heads, the key and the value of each new token.
 * Values take `identityRow`, which turns nothing.
 */
export function rotaryPositions(
  lengths: readonly number[],
  rows: number,
  group: number,
  identityRow: number,
  out: BigInt64Array,
): void {
  // The low halves of little-endian 64-bit integers; positions never reach the high ones, which stay 0.
  const low = new Int32Array(out.buffer, out.byteOffset, out.length * 2);
  let i = 0;
  for (const length of lengths) {
    for (let head = 0; head <= group; head++) {
      for (let row = 0; row < rows; row++, i += 2) low[i] = length + row;
    }
    for (let row = 0; row < rows; row++, i += 2) low[i] = identityRow;
  }
}
