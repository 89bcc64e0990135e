/** Plans of images of every size: what the prompt reserves is what the features fill. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../../src/engine/checkpoint/checkpoint.js';
import { readDecoderConfig } from '../../../../src/engine/checkpoint/decoder-config.js';
import { readVisionConfig } from '../../../../src/engine/checkpoint/vision-config.js';
import { projectedTokens } from '../../../../src/engine/models/vision-projector.js';
import { imageFamily, videoFamily } from '../../../../src/engine/vision/families/registry.js';
import { readPreprocessorConfig } from '../../../../src/engine/vision/preprocessor-config.js';
import { visionFixtureFolder, visionFixtureNames } from '../../../helpers/vision-fixture.js';

const imageToken = '<image>';
const videoToken = '<video>';

function openFamily(name: string) {
  const checkpoint = openCheckpoint(visionFixtureFolder(name));
  const vision = readVisionConfig(checkpoint, readDecoderConfig(checkpoint))!;
  const preprocessor = readPreprocessorConfig(checkpoint.folder);
  checkpoint.close();
  const newline = new Float32Array(vision.outputSize).fill(-1);
  const family = imageFamily(vision, preprocessor, { imageToken, videoToken, newline });
  const videos = videoFamily(vision, preprocessor, { imageToken, videoToken, newline }, family);
  return { family, videos, vision };
}

const size = fc.record({
  width: fc.integer({ min: 1, max: 6000 }),
  height: fc.integer({ min: 1, max: 6000 }),
});
const view = fc.record({
  detail: fc.constantFrom('auto' as const, 'low' as const, 'high' as const),
  alone: fc.boolean(),
  maxTiles: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
});

describe.each(visionFixtureNames)('%s', (name) => {
  const { family, videos, vision } = openFamily(name);
  const dense = projectedTokens(vision);
  const merged = fc.integer({ min: 1, max: dense }).map((tokens) => ({ tokens, side: undefined }));
  const grid = fc.integer({ min: 1, max: 5 }).map((side) => ({ tokens: side * side, side }));

  it('should have a row for every image token, merged or not', () => {
    fc.assert(
      fc.property(size, view, fc.oneof(merged, grid), (image, how, layout) => {
        const plan = family.plan(image, how);
        const places = family.placeholder(plan, layout).split(imageToken).length - 1;
        const rows = new Float32Array(plan.groups * layout.tokens * vision.outputSize);
        expect(family.pack(rows, plan, layout).length).toBe(places * vision.outputSize);
      }),
    );
  });

  it('should have a row for every token of a video, merged or not', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.oneof(merged, grid), (frames, layout) => {
        const plan = videos.plan(frames);
        const places = videos.placeholder(plan, layout).split(/<image>|<video>/).length - 1;
        const rows = new Float32Array(plan.groups * layout.tokens * vision.outputSize);
        expect(videos.pack(rows, plan, layout).length).toBe(places * vision.outputSize);
      }),
    );
  });

  it('should make a group of every frame, and of the thumbnail if there is one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), (frames) => {
        const side = vision.tower.imageSize;
        const frame = { width: 9, height: 7, data: new Uint8Array(9 * 7 * 3).fill(40 * (frames % 6)) };
        const groups = videos.groups(Array.from({ length: frames }, () => videos.tile(frame)));
        expect(groups).toHaveLength(videos.plan(frames).groups);
        for (const { width, height } of groups) expect([width, height]).toEqual([side, side]);
      }),
    );
  });

  it('should never make more tiles than it may, nor more than it would without a limit', () => {
    fc.assert(
      fc.property(size, view, (image, how) => {
        const { groups } = family.plan(image, how);
        expect(groups - 1).toBeLessThanOrEqual(how.maxTiles ?? Number.POSITIVE_INFINITY);
        expect(groups).toBeLessThanOrEqual(family.plan(image, { ...how, maxTiles: undefined }).groups);
      }),
    );
  });

  it('should look once at low detail, and never more often than at high detail', () => {
    fc.assert(
      fc.property(size, (image) => {
        const groups = (detail: 'low' | 'high') => family.plan(image, { detail, alone: true }).groups;
        expect(groups('low')).toBe(1);
        expect(groups('high')).toBeGreaterThanOrEqual(1);
      }),
    );
  });

  it('should give plans of different tiles different keys', () => {
    fc.assert(
      fc.property(size, view, view, (image, a, b) => {
        const [first, second] = [family.plan(image, a), family.plan(image, b)];
        if (first.groups !== second.groups) expect(first.key).not.toBe(second.key);
      }),
    );
  });
});
