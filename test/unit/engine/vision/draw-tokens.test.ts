import { describe, expect, it } from 'vitest';
import { drawTokens } from '../../../../src/engine/vision/draw-tokens.js';

const grey = { width: 4, height: 4, data: new Uint8Array(48).fill(100) };
/** Two by two patches: the left ones are one token, the right ones two. */
const tile = { tiles: [grey], columns: 1, memberOf: Int32Array.of(0, 1, 0, 2) };

function pixel({ width, data }: { width: number; data: Uint8Array }, x: number, y: number): number[] {
  const at = (Math.floor(y * width) * width + Math.floor(x * width)) * 3;
  return [...data.subarray(at, at + 3)];
}

describe('a drawing of tokens', () => {
  const drawn = drawTokens(tile, [[1, 1, 0]]);

  it('shows what stayed as it is and pales what went', () => {
    expect(pixel(drawn, 0.25, 0.25)).toEqual([100, 100, 100]);
    expect(pixel(drawn, 0.75, 0.25)).toEqual([100, 100, 100]);
    expect(pixel(drawn, 0.75, 0.75)[0]).toBeGreaterThan(200);
  });

  it('draws a line around a merged group and none inside', () => {
    expect(pixel(drawn, 0.25, 0.499)).toEqual([100, 100, 100]);
    expect(pixel(drawn, 0.499, 0.25)).toEqual([255, 0, 0]);
    expect(pixel(drawn, 0.75, 0.499)).toEqual([40, 40, 40]);
  });

  it('sets tiles side by side', () => {
    const two = drawTokens(
      {
        tiles: [grey, grey, grey],
        columns: 2,
        memberOf: Int32Array.of(...tile.memberOf, ...tile.memberOf, ...tile.memberOf),
      },
      [
        [1, 1, 1],
        [1, 1, 1],
        [1, 1, 1],
      ],
    );
    expect(two.width).toBe(two.height);
    expect(pixel(two, 0.99, 0.99)).toEqual([255, 255, 255]);
    expect(pixel(two, 0.1, 0.9)).toEqual([100, 100, 100]);
  });
});
