/** Properties of the resampler; that it equals Pillow is tested with the preprocessing of whole models. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crop, type Picture, padToSquare } from '../../../../src/engine/vision/picture.js';
import { type Filter, filters, resample } from '../../../../src/engine/vision/resample.js';

const side = fc.integer({ min: 1, max: 24 });
const filter = fc.constantFrom<Filter>(...Object.values(filters));
const picture = fc
  .tuple(side, side, fc.integer({ min: 0, max: 1e6 }))
  .map(([width, height, seed]): Picture => {
    let state = seed;
    const data = Uint8Array.from({ length: width * height * 3 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    });
    return { width, height, data };
  });

describe('resample', () => {
  it('should give a window of the whole', () => {
    fc.assert(
      fc.property(
        picture,
        side,
        side,
        filter,
        fc.nat(23),
        fc.nat(23),
        (source, width, height, kind, x, y) => {
          fc.pre(x < width && y < height);
          const window = { x, y, width: width - x, height: height - y };
          const whole = crop(resample(source, { width, height }, kind), window);
          expect(resample(source, { width, height }, kind, window).data).toEqual(whole.data);
        },
      ),
    );
  });

  it('should leave a picture of that size as it is', () => {
    fc.assert(
      fc.property(picture, filter, (source, kind) => {
        expect(resample(source, source, kind)).toBe(source);
      }),
    );
  });

  it('should keep a plain colour, at both ends of the range', () => {
    fc.assert(
      fc.property(
        side,
        side,
        side,
        side,
        filter,
        fc.constantFrom(0, 1, 128, 254, 255),
        (w, h, width, height, kind, level) => {
          const data = new Uint8Array(w * h * 3).fill(level);
          const scaled = resample({ width: w, height: h, data }, { width, height }, kind);
          expect(scaled.data.every((value) => value === level)).toBe(true);
        },
      ),
    );
  });
});

describe('crop and padToSquare', () => {
  const two: Picture = { width: 2, height: 1, data: Uint8Array.of(1, 2, 3, 4, 5, 6) };

  it('should fill what lies outside', () => {
    const { data } = crop(two, { x: 1, y: 0, width: 2, height: 2 }, [7, 8, 9]);
    expect([...data]).toEqual([4, 5, 6, 7, 8, 9, 7, 8, 9, 7, 8, 9]);
  });

  it('should put the picture in the middle of a square, above it if that is uneven', () => {
    const { width, height, data } = padToSquare(two, [0, 0, 0]);
    expect([width, height, ...data]).toEqual([2, 2, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0]);
  });
});
