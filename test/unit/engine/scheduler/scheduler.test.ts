import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../../src/core/messages.js';
import { EngineHarness, type HarnessOptions, type Result } from '../../../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides } from '../../../helpers/generate-request.js';

const SAMPLED = { temperature: 0.9, topP: 0.95, seed: 11 };

/** What the request gives in an engine of its own, its prompt in one piece. */
async function alone(overrides: RequestOverrides): Promise<string[]> {
  const harness = new EngineHarness({ config: { prefillChunk: 4096 } });
  return texts(await harness.run(overrides));
}

const texts = (result: Result) => result.choices.map(({ text }) => text);

const varied: RequestOverrides[] = [
  { prompt: 'a', stop: { maxTokens: 40 } },
  { prompt: 'the quick brown fox jumps over the lazy dog', sampling: SAMPLED },
  { prompt: 'x'.repeat(130), stop: { maxTokens: 3 } },
  { prompt: 'y'.repeat(75), sampling: { ...SAMPLED, seed: 12 }, stop: { maxTokens: 33 } },
  { prompt: 'the quick brown', n: 3, sampling: { ...SAMPLED, seed: 13 } },
  {
    prompt: 'zz',
    sampling: { ...SAMPLED, presencePenalty: 1, repetitionPenalty: 1.2 },
    stop: { maxTokens: 50 },
  },
];

async function expectAsAlone(options: HarnessOptions, requests = varied): Promise<EngineHarness> {
  const harness = new EngineHarness(options);
  const results = await Promise.all(requests.map((request) => harness.run(request)));
  expect(results.map(texts)).toEqual(await Promise.all(requests.map(alone)));
  return harness;
}

function atRest({ model, engine }: EngineHarness) {
  const { running, waiting, kvCacheUsage } = engine.stats();
  return { running, waiting, kvCacheUsage, lanes: model.runner.cache.lanes };
}

const AT_REST = { running: 0, waiting: 0, kvCacheUsage: 0, lanes: 0 };

describe('the scheduler', () => {
  it('gives a batch the tokens that each request gets alone', async () => {
    const harness = await expectAsAlone({});
    expect(Math.max(...harness.model.runner.forwards.map(({ lanes }) => lanes))).toBeGreaterThan(5);
    expect(atRest(harness)).toEqual(AT_REST);
  });

  it.each([16, 17, 64])(
    'gives the same tokens when prompts are computed in chunks of %i',
    async (prefillChunk) => {
      const harness = await expectAsAlone({ config: { prefillChunk } });
      expect(Math.max(...harness.model.runner.forwards.map(({ rows }) => rows))).toBe(prefillChunk);
    },
  );

  it('gives the same tokens when all wait for a single lane', async () => {
    const harness = await expectAsAlone({ config: { maxLanes: 1 } });
    expect(harness.model.runner.forwards.every(({ lanes }) => lanes === 1)).toBe(true);
  });

  it('gives the same tokens when sequences are swapped out for want of memory', async () => {
    const requests = [...'abcdef'].map((prompt) => ({ prompt: prompt.repeat(20), stop: { maxTokens: 120 } }));
    const harness = await expectAsAlone({ kvTokens: 6 * 96 }, requests);
    expect(harness.engine.counters.preemptions).toBeGreaterThan(0);
    expect(harness.engine.counters.prefillTokens).toBe(6 * 21);
    expect(atRest(harness)).toEqual(AT_REST);
  });

  it('gives the same tokens to those who stay when a neighbour leaves in the middle', async () => {
    const harness = new EngineHarness({});
    const running = varied.map((overrides) => harness.submit(generateRequest(overrides)));
    const leaving = [
      harness.submit(generateRequest({ prompt: 'n'.repeat(100), stop: { maxTokens: 90 } })),
      harness.submit(generateRequest({ prompt: 'm', n: 2, stop: { maxTokens: 90 } })),
    ];
    for (const { result } of leaving) result.catch(() => {});
    while (harness.batches.length < 6) await new Promise(setImmediate);
    for (const { key } of leaving) harness.engine.cancel(key);
    const results = await Promise.all(running.map(({ result }) => result));
    expect(results.map(texts)).toEqual(await Promise.all(varied.map(alone)));
    expect(atRest(harness)).toEqual(AT_REST);
  });

  it('never lets the slab exceed the budget', async () => {
    const budget = 500;
    const sizes: number[] = [];
    const harness: EngineHarness = new EngineHarness({
      kvTokens: budget,
      onForward: () => {
        const { cache } = harness.model.runner;
        sizes.push(cache.lanes * cache.capacity);
      },
    });
    await Promise.all(varied.map((request) => harness.run(request)));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(budget);
    expect(Math.max(...sizes)).toBeGreaterThan(budget / 2);
  });

  it('decodes while a long prompt is being computed', async () => {
    const harness = new EngineHarness({ config: { prefillChunk: 16 } });
    const short = harness.submit(generateRequest({ prompt: 's', stop: { maxTokens: 200 } }));
    while (harness.eventsOf(short.key).length < 5) await new Promise(setImmediate);
    const before = harness.eventsOf(short.key).length;
    const long = harness.submit(generateRequest({ prompt: 'l'.repeat(300), stop: { maxTokens: 1 } }));
    await long.result;
    expect(harness.eventsOf(short.key).length - before).toBeGreaterThanOrEqual(300 / 16);
    await short.result;
  });

  it('finishes a short prompt before a long one that came first', async () => {
    const harness = new EngineHarness({ config: { prefillChunk: 16 } });
    const finished: string[] = [];
    const run = (name: string, length: number) =>
      harness.run({ prompt: name.repeat(length), stop: { maxTokens: 1 } }).then(() => finished.push(name));
    await Promise.all([run('l', 400), run('s', 30)]);
    expect(finished).toEqual(['s', 'l']);
  });

  it('runs a lower priority number first, and equals in order of arrival', async () => {
    const harness = new EngineHarness({ config: { maxLanes: 1 } });
    const finished: string[] = [];
    const run = (prompt: string, priority: number) =>
      harness.run({ prompt, priority, stop: { maxTokens: 2 } }).then(() => finished.push(prompt));
    await Promise.all([run('first', 0), run('later', 1), run('even later', 1), run('urgent', -1)]);
    expect(finished).toEqual(['first', 'urgent', 'later', 'even later']);
  });

  it('computes the prompt once for all choices', async () => {
    const harness = new EngineHarness({ config: { maxLanes: 2 } });
    const { choices, usage } = await harness.run({ prompt: 'p'.repeat(40), n: 5, sampling: SAMPLED });
    expect(harness.engine.stats().prefillTokensTotal).toBe(41);
    expect(new Set(choices.map(({ text }) => text)).size).toBe(5);
    expect(usage).toMatchObject({ promptTokens: 41, cachedTokens: 0, completionTokens: 5 * 16 });
  });

  it('stops computing within a step of the last cancellation', async () => {
    const harness = new EngineHarness({ config: { maxLanes: 2 } });
    const requests: GenerateRequest[] = Array.from({ length: 4 }, () =>
      generateRequest({ stop: { maxTokens: 400 } }),
    );
    const keys = requests.map((request) => harness.submit(request).key);
    while (harness.batches.length < 5) await new Promise(setImmediate);
    for (const key of keys) harness.engine.cancel(key);
    const computed = harness.model.runner.forwards.length;
    const reported = harness.batches.length;
    while (harness.engine.stats().running > 0) await new Promise(setImmediate);
    expect(harness.model.runner.forwards.length - computed).toBeLessThanOrEqual(1);
    expect(harness.batches.length).toBe(reported);
    expect(atRest(harness)).toEqual(AT_REST);
  });
});
