/** Vision-language checkpoints against transformers, from image files and messages to tokens. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GenerateEvent } from '../../src/core/messages.js';
import { PromptReader } from '../../src/engine/worker/prompt-reader.js';
import { ModelHarness } from '../helpers/engine-harness.js';
import { generateRequest } from '../helpers/generate-request.js';
import {
  loadVisionModel,
  readVisionReference,
  type VisionCase,
  visionFixtureNames,
  visionPrompt,
} from '../helpers/vision-fixture.js';

function tokensOf(events: readonly GenerateEvent[]): number[] {
  return events.flatMap((event) =>
    event.type === 'delta' ? (event.logprobs ?? []).map(({ id }) => id) : [],
  );
}

describe.each(visionFixtureNames)('%s', (name) => {
  const reference = readVisionReference(name);
  let harness: ModelHarness<Awaited<ReturnType<typeof loadVisionModel>>>;

  beforeAll(async () => {
    harness = new ModelHarness(await loadVisionModel(name), { prefixTokens: 4096 });
  });
  afterAll(() => harness.engine.close());

  const answer = (index: number, more: object = {}) => {
    const { messages, greedy } = reference.cases[index]!;
    return harness.submit(
      generateRequest({
        prompt: visionPrompt(messages),
        topLogprobs: 0,
        stop: { maxTokens: greedy.length, ignoreEos: true },
        ...more,
      }),
    );
  };

  it.each(reference.cases.map(({ name: claim }, index) => [claim, index] as const))(
    'should read the same ids and answer with the same tokens: %s',
    async (_, index) => {
      const { messages, ids, greedy } = reference.cases[index]!;
      const reader = new PromptReader(harness.model.tokenizer, harness.model.vision);
      expect((await reader.measure(visionPrompt(messages), 4096)).ids).toEqual(ids);
      const { key, result } = answer(index);
      await result;
      expect(tokensOf(harness.eventsOf(key))).toEqual(greedy);
    },
  );

  it('should answer the same in small chunks, in a crowd and for several choices', async () => {
    const crowded = new ModelHarness(harness.model, {
      config: { prefillChunk: 16, maxLanes: 3 },
      kvTokens: 704,
      prefixTokens: 0,
    });
    const submitted = reference.cases.map(({ messages, greedy }) =>
      crowded.submit(
        generateRequest({
          prompt: visionPrompt(messages),
          topLogprobs: 0,
          n: 2,
          stop: { maxTokens: greedy.length, ignoreEos: true },
        }),
      ),
    );
    for (const [index, { key, result }] of submitted.entries()) {
      await result;
      for (const choice of [0, 1]) {
        const mine = crowded
          .eventsOf(key)
          .filter((event) => event.type === 'delta' && event.choice === choice);
        expect(tokensOf(mine)).toEqual(reference.cases[index]!.greedy);
      }
    }
  });

  it('should find an image again, in the encoder and in the prefix cache', async () => {
    await answer(0).result;
    const { key, result } = answer(5);
    const { usage } = await result;
    expect(tokensOf(harness.eventsOf(key))).toEqual(reference.cases[5]!.greedy);
    expect(usage.images).toMatchObject({ count: 1, cached: 1 });
    expect(usage.cachedTokens).toBeGreaterThanOrEqual(16);
  });

  it('should keep images apart in the prefix cache, whose placeholders are the same', async () => {
    const show = (image: string) =>
      harness.run({
        prompt: visionPrompt([
          {
            role: 'user',
            content: [
              { type: 'image', image },
              { type: 'text', text: 'x'.repeat(40) },
            ],
          },
        ]),
        stop: { maxTokens: 1, ignoreEos: true },
      });
    await show('photo.jpg');
    const other = await show('dot.png');
    const same = await show('photo.jpg');
    expect(other.usage.cachedTokens).toBeLessThan(same.usage.cachedTokens);
    expect(other.usage.cachedTokens).toBeLessThanOrEqual(16);
  });

  it('should forget a request that is cancelled while its image is looked at', async () => {
    const { key } = answer(1, { cachePrompt: false });
    harness.engine.cancel(key);
    await harness.idle();
    expect(harness.eventsOf(key)).toEqual([]);
  });

  /** Largest difference of the rows of a case from those of the reference, by the largest of these. */
  const rowError = async (messages: VisionCase['messages'], expected: Float32Array): Promise<number> => {
    const reader = new PromptReader(harness.model.tokenizer, harness.model.vision);
    const options = { maxTokens: 4096, check: () => {}, isCancelled: () => false };
    const { images = [] } = (await reader.see(visionPrompt(messages), options))!;
    const rows = Float32Array.from(images.flatMap((span) => [...span.rows]));
    expect(rows.length).toBe(expected.length);
    const worst = Math.max(...rows.map((value, i) => Math.abs(value - expected[i]!)));
    return worst / Math.max(...expected.map(Math.abs));
  };

  it('should give the rows of the reference for an image', async () => {
    expect(await rowError(reference.cases[0]!.messages, reference.features)).toBeLessThan(1e-4);
  });

  it.runIf(reference.videoFeatures)('should give the rows of the reference for a video', async () => {
    const { messages } = reference.cases.find(({ name: claim }) => claim === 'video first')!;
    expect(await rowError(messages, reference.videoFeatures!)).toBeLessThan(1e-4);
  });
});
