/** Less of an image before the decoder: coarser grids, fewer tiles, and the receipts of both. */

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EfficiencyOptions } from '../../src/core/efficiency.js';
import type { ImagePart } from '../../src/core/messages.js';
import { closeModel, type LoadedModel } from '../../src/engine/loaded-model.js';
import { loadModel } from '../../src/engine/model-loader.js';
import { changedCheckpoint } from '../helpers/changed-checkpoint.js';
import { ModelHarness, type Result } from '../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides, userPrompt } from '../helpers/generate-request.js';
import { suiteFolder } from '../helpers/suite-folder.js';
import { imagePart, loadVisionModel } from '../helpers/vision-fixture.js';

const cacheDir = suiteFolder();
const quarter = { keep: 0.25, order: 'reference' } as const;
let model: LoadedModel;
beforeAll(async () => {
  model = await loadVisionModel('siglip-llava');
});
afterAll(() => closeModel(model));

const harnessOf = () => new ModelHarness(model, {});
const photo = () => imagePart('photo.jpg');

const request = (efficiency: EfficiencyOptions, more: RequestOverrides = {}) =>
  generateRequest({
    prompt: userPrompt(photo(), 'What is it?'),
    efficiency: { draftVerification: false, ...efficiency },
    topLogprobs: 0,
    stop: { maxTokens: 8, ignoreEos: true },
    ...more,
  });

const answer = (harness: ModelHarness<LoadedModel>, efficiency: EfficiencyOptions): Promise<Result> =>
  harness.submit(request(efficiency)).result;

const said = ({ events }: Result) => events.filter((event) => event.type === 'delta');

describe('pooling', () => {
  const pooled = { ...quarter, reducer: 'grid_pool' } as const;

  it('leaves a coarser grid, at the cost of one sum', async () => {
    const harness = harnessOf();
    const { usage } = await answer(harness, { tokenMerging: { ...pooled, keep: 0.3 } });
    expect(usage.efficiency?.visualTokens).toMatchObject({ encoded: 16, merged: 4 });
    expect(usage.efficiency?.flops?.overhead).toBe(16 * 32);
  });

  it('answers otherwise than merging, and from the same encoded image', async () => {
    const harness = harnessOf();
    const merged = await answer(harness, { tokenMerging: quarter });
    const { usage, ...other } = await answer(harness, { tokenMerging: pooled });
    expect(usage.efficiency?.visualTokens?.cachedImages).toBe(1);
    expect(said({ ...other, usage })).not.toEqual(said(merged));
  });

  it('keeps the lines of tiles that are one grid', async () => {
    const tiled = await loadVisionModel('onevision');
    const harness = new ModelHarness(tiled, {});
    const rows = async (efficiency: EfficiencyOptions) =>
      (await harness.submit(request(efficiency)).result).usage.images!.tokens;
    const [plain, half] = [await rows({}), await rows({ tokenMerging: { ...pooled, keep: 0.4 } })];
    expect(plain).toBeGreaterThan(half);
    // 3 × 3 rows of the whole view, and 3 lines of the tiles with a newline behind each
    expect((half - 9) % 3).toBe(0);
    await harness.engine.close();
  });

  it('is refused where the class token is among the rows', async () => {
    const withClass = { config: { vision_feature_select_strategy: 'full' } };
    const folder = changedCheckpoint('clip-llava', withClass);
    const clip = await loadModel({ id: 'clip', folder, weights: 'fp32', cacheDir, threads: 1 });
    const harness = new ModelHarness(clip, {});
    await expect(answer(harness, { tokenMerging: pooled })).rejects.toThrow(
      /^efficiency\.token_merging\.reducer: the class token/,
    );
    await harness.engine.close();
  });
});

describe('a budget', () => {
  const flat = sharp({ create: { width: 90, height: 70, channels: 3, background: '#88a' } })
    .png()
    .toBuffer();
  const views = async (name: string, efficiency: EfficiencyOptions, image = photo()) => {
    const harness = new ModelHarness(await loadVisionModel(name), {});
    const { usage } = await harness.submit(request(efficiency, { prompt: userPrompt(image, 'What?') }))
      .result;
    await harness.engine.close();
    const { views: of, fullViews, encoded, merged } = usage.efficiency!.visualTokens!;
    return { of, fullViews, encoded, merged };
  };

  it.each(['onevision', 'idefics3'])(
    'of tiles holds, and the receipt tells what they would have been: %s',
    async (name) => {
      const full = await views(name, {});
      expect(full.of).toBe(full.fullViews);
      expect(full.of).toBeGreaterThan(3);
      const few = await views(name, { visualBudget: { maxTiles: 2 } });
      expect(few.of).toBeLessThanOrEqual(3);
      expect(few).toMatchObject({ fullViews: full.of, encoded: full.merged });
      expect(few.merged).toBeLessThan(full.merged);
      expect((await views(name, { visualBudget: { maxTiles: 0 } })).of).toBe(1);
    },
  );

  it.each(['onevision', 'idefics3'])('of detail takes tiles from flat images only: %s', async (name) => {
    const part: ImagePart = { type: 'image', bytes: await flat, detail: 'auto', param: 'flat' };
    const strict = { visualBudget: { lostDetail: 1 } };
    expect((await views(name, strict, part)).of).toBe(1);
    const busy = await views(name, strict);
    expect(busy.of).toBe(busy.fullViews);
    expect((await views(name, { visualBudget: { lostDetail: 255 } })).of).toBe(1);
  });

  it('of detail: low is one view', async () => {
    expect((await views('onevision', {}, imagePart('photo.jpg', 'low'))).of).toBe(1);
  });

  it('changes nothing where an image is one view anyway', async () => {
    const harness = harnessOf();
    const plain = await answer(harness, {});
    expect(said(await answer(harness, { visualBudget: { maxTiles: 0, lostDetail: 255 } }))).toEqual(
      said(plain),
    );
  });
});
