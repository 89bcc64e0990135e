/** Checkpoints as transformers 4 wrote them, and eyes in 8 bits. */

import { describe, expect, it } from 'vitest';
import { closeModel } from '../../src/engine/loaded-model.js';
import { loadModel } from '../../src/engine/model-loader.js';
import { PromptReader } from '../../src/engine/worker/prompt-reader.js';
import { type Changes, changedCheckpoint } from '../helpers/changed-checkpoint.js';
import { suiteFolder } from '../helpers/suite-folder.js';
import { readVisionReference, visionFixtureFolder, visionPrompt } from '../helpers/vision-fixture.js';

const cacheDir = suiteFolder();

/** Largest difference of the rows of `photo.jpg` from the reference, by the largest of these. */
async function rowError(name: string, folder: string, weights: 'fp32' | 'int8'): Promise<number> {
  const { cases, features } = readVisionReference(name);
  const model = await loadModel({ id: name, folder, weights, cacheDir, threads: 1 });
  try {
    const reader = new PromptReader(model.tokenizer, model.vision);
    const options = { maxTokens: 4096, check: () => {}, isCancelled: () => false };
    const { images = [] } = (await reader.see(visionPrompt(cases[0]!.messages), options))!;
    const rows = images.flatMap((span) => [...span.rows]);
    const worst = Math.max(...rows.map((value, i) => Math.abs(value - features[i]!)));
    return worst / Math.max(...features.map(Math.abs));
  } finally {
    await closeModel(model);
  }
}

const older: readonly (readonly [string, Changes])[] = [
  [
    'clip-llava',
    {
      preprocessor: { image_processor_type: 'CLIPImageProcessor' },
      rename: (tensor) =>
        tensor
          .replace(/^model\.vision_tower\./, 'vision_tower.vision_model.')
          .replace(/^model\.multi_modal/, 'multi_modal')
          .replace(/^model\.language_model\./, 'language_model.model.'),
    },
  ],
  [
    'siglip-llava',
    {
      preprocessor: { image_processor_type: 'SiglipImageProcessorFast' },
      rename: (tensor) => tensor.replace(/^model\.vision_tower\./, 'model.vision_tower.vision_model.'),
    },
  ],
  ['idefics3', { preprocessor: {} }],
];

describe('the layout of transformers 4', () => {
  it.each(older)('should be read like that of 5: %s', async (name, changes) => {
    expect(await rowError(name, changedCheckpoint(name, changes), 'fp32')).toBeLessThan(1e-4);
  });
});

describe('eyes in 8 bits', () => {
  it.each(['clip-llava', 'siglip-llava', 'onevision', 'idefics3'])(
    'should see nearly the same: %s',
    async (name) => {
      const error = await rowError(name, visionFixtureFolder(name), 'int8');
      expect(error).toBeGreaterThan(0);
      expect(error).toBeLessThan(0.05);
    },
  );
});
