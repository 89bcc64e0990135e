/** Plans of images of every size: what the prompt reserves is what the features fill. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../../src/engine/checkpoint/checkpoint.js';
import { readDecoderConfig } from '../../../../src/engine/checkpoint/decoder-config.js';
import { readVisionConfig } from '../../../../src/engine/checkpoint/vision-config.js';
import { projectedTokens } from '../../../../src/engine/models/vision-projector.js';
import { imageFamily } from '../../../../src/engine/vision/families/registry.js';
import { readPreprocessorConfig } from '../../../../src/engine/vision/preprocessor-config.js';
import { visionFixtureFolder, visionFixtureNames } from '../../../helpers/vision-fixture.js';

const imageToken = '<image>';

function openFamily(name: string) {
  const checkpoint = openCheckpoint(visionFixtureFolder(name));
  const vision = readVisionConfig(checkpoint, readDecoderConfig(checkpoint))!;
  const preprocessor = readPreprocessorConfig(checkpoint.folder);
  checkpoint.close();
  const newline = new Float32Array(vision.outputSize).fill(-1);
  return { family: imageFamily(vision, preprocessor, { imageToken, newline }), vision };
}

const size = fc.record({
  width: fc.integer({ min: 1, max: 6000 }),
  height: fc.integer({ min: 1, max: 6000 }),
});
const view = fc.record({
  detail: fc.constantFrom('auto' as const, 'low' as const, 'high' as const),
  alone: fc.boolean(),
});

describe.each(visionFixtureNames)('%s', (name) => {
  const { family, vision } = openFamily(name);
  const dense = projectedTokens(vision);

  it('should have a row for every image token, merged or not', () => {
    fc.assert(
      fc.property(size, view, fc.integer({ min: 1, max: dense }), (image, how, tokens) => {
        const plan = family.plan(image, how);
        const places = family.placeholder(plan, tokens).split(imageToken).length - 1;
        const rows = new Float32Array(plan.groups * tokens * vision.outputSize);
        expect(family.pack(rows, plan, tokens).length).toBe(places * vision.outputSize);
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
