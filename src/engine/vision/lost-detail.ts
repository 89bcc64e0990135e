/** How much less of an image is seen at a lower resolution: what tells a page of text from a photograph of the sky. */

import type { Picture, Size } from './picture.js';
import { resample } from './resample.js';

/** Parts along each side that are judged by themselves: a line of text on an empty page must not drown in it. */
const partsAcross = 8;

/**
 * What is seen of `picture` at `best` and no longer at `size`: the difference of the two in levels (0–255), root mean
 * square over the part of the picture where it is largest.
 */
export function lostDetail(picture: Picture, best: Size, size: Size): number {
  const fine = resample(picture, within(best, picture), 'box');
  const coarse = resample(resample(fine, within(size, fine), 'box'), fine, 'bilinear');
  const parts = Array.from({ length: partsAcross ** 2 }, () => ({ sum: 0, count: 0 }));
  for (let y = 0, at = 0; y < fine.height; y++) {
    const line = Math.floor((y * partsAcross) / fine.height) * partsAcross;
    for (let x = 0; x < fine.width; x++) {
      const part = parts[line + Math.floor((x * partsAcross) / fine.width)]!;
      for (let channel = 0; channel < 3; channel++, at++)
        part.sum += (fine.data[at]! - coarse.data[at]!) ** 2;
      part.count += 3;
    }
  }
  return Math.sqrt(Math.max(...parts.map(({ sum, count }) => (count === 0 ? 0 : sum / count))));
}

function within(size: Size, limit: Size): Size {
  return { width: Math.min(size.width, limit.width), height: Math.min(size.height, limit.height) };
}
