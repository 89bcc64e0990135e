/** Pixels against the reference processors, on images of every awkward kind. */

import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../../src/engine/checkpoint/checkpoint.js';
import { readDecoderConfig } from '../../../../src/engine/checkpoint/decoder-config.js';
import { readVisionConfig } from '../../../../src/engine/checkpoint/vision-config.js';
import { decodeImage, measureImage } from '../../../../src/engine/vision/decode-image.js';
import { imageFamily, noVocabulary } from '../../../../src/engine/vision/families/registry.js';
import { patchRows } from '../../../../src/engine/vision/patches.js';
import type { Picture } from '../../../../src/engine/vision/picture.js';
import { readPreprocessorConfig } from '../../../../src/engine/vision/preprocessor-config.js';
import {
  imageBytes,
  readVisionReference,
  visionFixtureFolder,
  visionFixtureNames,
} from '../../../helpers/vision-fixture.js';

const limits = { maxBytes: 1e6, maxPixels: 1e6 };

function preprocessing(name: string) {
  const checkpoint = openCheckpoint(visionFixtureFolder(name));
  const vision = readVisionConfig(checkpoint, readDecoderConfig(checkpoint))!;
  const preprocessor = readPreprocessorConfig(checkpoint.folder);
  const family = imageFamily(vision, preprocessor, noVocabulary);
  checkpoint.close();
  return { family, preprocessor, tower: vision.tower };
}

async function tilesOf(name: string, image: string): Promise<Picture[]> {
  const { family } = preprocessing(name);
  const bytes = imageBytes(image);
  const plan = family.plan(await measureImage(bytes, limits, 'image'), { detail: 'auto', alone: true });
  return [...family.tiles(await decodeImage(bytes, limits, 'image'), plan)];
}

describe.each(visionFixtureNames)('%s', (name) => {
  const { pixels, levels } = readVisionReference(name);

  it.each(pixels.map((pixel) => [pixel.image, pixel] as const))(
    'should see the pixels of the reference in %s',
    async (image, { offset, tiles }) => {
      const mine = await tilesOf(name, image);
      expect(mine).toHaveLength(tiles);
      const all = Buffer.concat(mine.map(({ data }) => data));
      const expected = levels.subarray(offset, offset + all.length);
      const apart = all.reduce((worst, level, i) => Math.max(worst, Math.abs(level - expected[i]!)), 0);
      expect(apart).toBe(0);
    },
  );

  it('should normalise levels to the values of the reference', async () => {
    const { preprocessor, tower } = preprocessing(name);
    for (const { image, firstValues } of pixels) {
      const [tile] = await tilesOf(name, image);
      const row = patchRows(tile!, tower, preprocessor.levels).subarray(0, tower.patchSize);
      const expected = firstValues.slice(0, tower.patchSize);
      for (const [i, value] of expected.entries()) expect(row[i]).toBeCloseTo(value, 5);
    }
  });
});
