import { describe, expect, it } from 'vitest';
import { lostDetail } from '../../../../src/engine/vision/lost-detail.js';
import type { Picture } from '../../../../src/engine/vision/picture.js';

function painted(side: number, level: (x: number, y: number) => number): Picture {
  const data = new Uint8Array(side * side * 3);
  for (let i = 0; i < side * side; i++) data.fill(level(i % side, Math.floor(i / side)), 3 * i, 3 * i + 3);
  return { width: side, height: side, data };
}

const square = (side: number) => ({ width: side, height: side });
const best = square(64);

describe('lostDetail', () => {
  it('should be nothing for a flat image, and next to nothing for a soft one', () => {
    expect(
      lostDetail(
        painted(64, () => 200),
        best,
        square(16),
      ),
    ).toBe(0);
    expect(
      lostDetail(
        painted(64, (x) => 3 * x),
        best,
        square(16),
      ),
    ).toBeLessThan(4);
  });

  it('should be all of what only the best resolution shows', () => {
    const checkered = painted(64, (x, y) => ((x + y) % 2 === 0 ? 100 : 140));
    expect(lostDetail(checkered, best, square(32))).toBeCloseTo(20, 0);
  });

  it('should find a little writing on an empty page', () => {
    const page = painted(64, (x, y) => (x < 6 && y < 6 && x % 2 === 0 ? 0 : 255));
    expect(lostDetail(page, best, square(16))).toBeGreaterThan(60);
  });

  it('should not fall when less is seen', () => {
    const noisy = painted(64, (x, y) => ((x * 31 + y * 17) * 7919) % 256);
    const losses = [48, 32, 16, 8].map((side) => lostDetail(noisy, best, square(side)));
    expect(losses.toSorted((a, b) => a - b)).toEqual(losses);
  });

  it('should be nothing where the image is smaller than either', () => {
    expect(
      lostDetail(
        painted(8, (x) => 30 * x),
        best,
        square(16),
      ),
    ).toBe(0);
  });
});
