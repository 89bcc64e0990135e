/** Vision-language checkpoints against transformers, from image files and messages to tokens. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GenerateEvent } from '../../src/core/messages.js';
import { PromptReader } from '../../src/engine/worker/prompt-reader.js';
import { ModelHarness } from '../helpers/engine-harness.js';
import { generateRequest } from '../helpers/generate-request.js';
import {
  loadVisionModel,
  readVisionReference,
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

  it('should give the rows of the reference for an image', async () => {
    const reader = new PromptReader(harness.model.tokenizer, harness.model.vision);
    const prompt = visionPrompt(reference.cases[0]!.messages);
    const options = { maxTokens: 4096, check: () => {}, isCancelled: () => false };
    const { images = [] } = (await reader.see(prompt, options))!;
    const rows = Float32Array.from(images.flatMap((span) => [...span.rows]));
    const scale = Math.max(...reference.features.map(Math.abs));
    const worst = Math.max(...rows.map((value, i) => Math.abs(value - reference.features[i]!)));
    expect(rows.length).toBe(reference.features.length);
    expect(worst / scale).toBeLessThan(1e-4);
  });
});
