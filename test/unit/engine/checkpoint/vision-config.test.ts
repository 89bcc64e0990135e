import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../../src/engine/checkpoint/checkpoint.js';
import { readDecoderConfig } from '../../../../src/engine/checkpoint/decoder-config.js';
import type { VisionConfig } from '../../../../src/engine/checkpoint/vision-config.js';
import { readVisionConfig, towerTokens } from '../../../../src/engine/checkpoint/vision-config.js';
import { imageFamily, noVocabulary } from '../../../../src/engine/vision/families/registry.js';
import { readPreprocessorConfig } from '../../../../src/engine/vision/preprocessor-config.js';
import { type Changes, changedCheckpoint } from '../../../helpers/changed-checkpoint.js';
import { fixtureFolder } from '../../../helpers/fixture-model.js';
import { visionFixtureFolder } from '../../../helpers/vision-fixture.js';

function read(folder: string): VisionConfig | undefined {
  const checkpoint = openCheckpoint(folder);
  try {
    const vision = readVisionConfig(checkpoint, readDecoderConfig(checkpoint));
    if (vision !== undefined) {
      imageFamily(vision, readPreprocessorConfig(folder), noVocabulary);
    }
    return vision;
  } finally {
    checkpoint.close();
  }
}

describe('readVisionConfig', () => {
  it('should find no eyes in a model that reads text only', () => {
    expect(read(fixtureFolder('llama-gqa'))).toBeUndefined();
  });

  it('should count feature layers as transformers does, and rows by the strategy', () => {
    const clip = read(visionFixtureFolder('clip-llava'))!;
    expect(clip).toMatchObject({
      family: 'llava',
      featureLayers: 2,
      keepsClassToken: false,
      finalNorm: false,
    });
    expect(towerTokens(clip)).toBe(16);
    const whole = read(
      changedCheckpoint('clip-llava', {
        config: { vision_feature_layer: 1, vision_feature_select_strategy: 'full' },
      }),
    )!;
    expect(whole).toMatchObject({ featureLayers: 1, keepsClassToken: true });
    expect(towerTokens(whole)).toBe(17);
  });

  const refused: readonly (readonly [string, string, Changes, RegExp])[] = [
    [
      'an unknown kind of model',
      'siglip-llava',
      { config: { model_type: 'fuyu' } },
      /model_type fuyu .* supported are llava/,
    ],
    [
      'an unknown tower',
      'siglip-llava',
      { config: { vision_config: { model_type: 'pixtral' } } },
      /model_type is pixtral/,
    ],
    [
      'an unknown activation',
      'siglip-llava',
      { config: { vision_config: { hidden_act: 'relu' } } },
      /hidden_act/,
    ],
    [
      'heads that do not divide the width',
      'siglip-llava',
      { config: { vision_config: { num_attention_heads: 5 } } },
      /not a multiple of num_attention_heads 5/,
    ],
    [
      'patches larger than the image',
      'siglip-llava',
      { config: { vision_config: { patch_size: 40 } } },
      /patch_size 40/,
    ],
    [
      'features of several layers',
      'siglip-llava',
      { config: { vision_feature_layer: [-2, -1] } },
      /vision_feature_layer/,
    ],
    [
      'a layer that is not there',
      'siglip-llava',
      { config: { vision_feature_layer: -5 } },
      /vision_feature_layer -5/,
    ],
    [
      'the input as features',
      'siglip-llava',
      { config: { vision_feature_layer: 0 } },
      /vision_feature_layer 0/,
    ],
    [
      'a class token of SigLIP',
      'siglip-llava',
      { config: { vision_feature_select_strategy: 'default' } },
      /default is not supported with a SigLIP/,
    ],
    [
      'an image token outside the vocabulary',
      'siglip-llava',
      { config: { image_token_index: 9999 } },
      /image_token_id 9999/,
    ],
    [
      'another shape of the tower',
      'siglip-llava',
      { config: { vision_config: { intermediate_size: 64 } } },
      /has shape/,
    ],
    [
      'a shuffle that does not fit',
      'idefics3',
      { config: { scale_factor: 3 } },
      /scale_factor 3 does not divide/,
    ],
    [
      'tiles that are no multiples',
      'onevision',
      { config: { image_grid_pinpoints: [[26, 27]] } },
      /image_grid_pinpoints/,
    ],
    [
      'a missing tower',
      'siglip-llava',
      { rename: (name) => name.replace('patch_embedding', 'patches') },
      /expected one tensor named .*patch_embedding/,
    ],
    [
      'a missing preprocessor',
      'siglip-llava',
      { drop: ['processor_config.json'] },
      /neither preprocessor_config.json nor/,
    ],
    [
      'an unknown processor',
      'siglip-llava',
      { preprocessor: { image_processor_type: 'FuyuImageProcessor' } },
      /image_processor_type Fuyu/,
    ],
    ['an unknown filter', 'siglip-llava', { preprocessor: { resample: 0 } }, /resample 0 is not supported/],
    [
      'tiles of another size',
      'siglip-llava',
      { preprocessor: { size: { height: 48, width: 48 } } },
      /48 × 48 pixels, but vision_config.image_size is 32/,
    ],
    ['images of any size', 'siglip-llava', { preprocessor: { size: { shortest_edge: 32 } } }, /fixed size/],
    ['no size at all', 'siglip-llava', { preprocessor: { size: {} } }, /size/],
    ['a deviation of zero', 'siglip-llava', { preprocessor: { image_std: [1, 0, 1] } }, /image_std/],
    [
      'a crop larger than the image',
      'clip-llava',
      { preprocessor: { size: { shortest_edge: 20 } } },
      /crop_size is larger/,
    ],
  ];

  it.each(refused)('should refuse %s by name', (_, name, changes, reason) => {
    expect(() => read(changedCheckpoint(name, changes))).toThrow(reason);
  });
});
