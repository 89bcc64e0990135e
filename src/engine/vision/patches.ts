/** A tile as the tower reads it: normalised, patch by patch. */

import type { TowerConfig } from '../checkpoint/vision-config.js';
import { patchesPerSide } from '../checkpoint/vision-config.js';
import type { Picture } from './picture.js';

/**
 * `[n, 3·p·p]`: patches from left to right and top to bottom, each channel by channel like the kernels of the
 * convolution that it stands for. `levels` gives the value of a level per channel.
 */
export function patchRows(
  tile: Picture,
  tower: Pick<TowerConfig, 'imageSize' | 'patchSize'>,
  levels: readonly Float32Array[],
): Float32Array {
  const { patchSize } = tower;
  const side = patchesPerSide(tower);
  const out = new Float32Array(side * side * 3 * patchSize * patchSize);
  let target = 0;
  for (let patch = 0; patch < side * side; patch++) {
    const corner = (Math.floor(patch / side) * tile.width + (patch % side)) * patchSize;
    for (let channel = 0; channel < 3; channel++) {
      const values = levels[channel]!;
      for (let y = 0; y < patchSize; y++) {
        let source = (corner + y * tile.width) * 3 + channel;
        for (let x = 0; x < patchSize; x++, source += 3) out[target++] = values[tile.data[source]!]!;
      }
    }
  }
  return out;
}
