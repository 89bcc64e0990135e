import { beforeAll, describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../../src/core/messages.js';
import { philox4x32 } from '../../../../src/decoding/random.js';
import { EngineHarness, type Result } from '../../../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides } from '../../../helpers/generate-request.js';

/** Reproducible dice. */
function dice(seed: number): (sides: number) => number {
  let count = 0;
  return (sides) => philox4x32([count++, 0, 0, 0], seed, 0)[0] % sides;
}

/** Mostly sensible, sometimes hopeless. */
function randomRequest(roll: (sides: number) => number): RequestOverrides {
  const hopeless: RequestOverrides[] = [
    { prompt: 'x'.repeat(400) },
    { prompt: { kind: 'tokens', ids: [] } },
    { prompt: { kind: 'tokens', ids: [-1] } },
    { stop: { maxTokens: 100_000 } },
    { stop: { maxTokens: 0 } },
    { stop: { strings: [''] } },
    { prompt: '\u007f', n: 2 },
  ];
  if (roll(8) === 0) return hopeless[roll(hopeless.length)]!;
  const echo = roll(6) === 0;
  return {
    prompt: 'shared beginning of many prompts '.slice(roll(33)) + 'abc'.repeat(roll(30)),
    n: roll(8) === 0 ? 2 + roll(9) : 1,
    sampling: { temperature: roll(2), seed: roll(1000) },
    stop: { maxTokens: roll(10) === 0 ? undefined : 1 + roll(80), strings: roll(3) === 0 ? ['a', 'bc'] : [] },
    topLogprobs: roll(4) === 0 ? roll(3) : undefined,
    echo,
    priority: roll(3) - 1,
    cachePrompt: roll(3) !== 0,
    cacheSalt: roll(3) === 0 ? 'salt' : undefined,
  };
}

const sleep = (steps: number) =>
  new Promise<void>((resolve) => {
    const next = (left: number) => (left === 0 ? resolve() : setImmediate(() => next(left - 1)));
    next(steps);
  });

const options = { contextLength: 256, kvTokens: 272, eosEvery: 40 };
const prefixTokens = 512;

/** In each hundred, the first thirty come at once; the others wait until few are in the engine. */
const crowd = (i: number, roll: (sides: number) => number) => (i % 100 < 30 ? 1000 : 4 + roll(8));

async function abuse(seed: number) {
  const roll = dice(seed);
  const config = { maxLanes: 4, maxQueue: 20, prefillChunk: 32 };
  const harness = new EngineHarness({ ...options, prefixTokens, config });
  harness.model.runner.poisonedToken = 0x7f;
  const outcomes = { ended: 0, refused: 0, cancelled: 0 };
  const ended: { request: GenerateRequest; result: Result }[] = [];
  for (let i = 0; i < 500; i++) {
    const request = generateRequest(randomRequest(roll));
    const { key, result } = harness.submit(request);
    result.then(
      (done) => ended.push({ request, result: done }),
      () => outcomes.refused++,
    );
    if (roll(3) === 0) {
      void sleep(roll(30)).then(() => harness.cancel(key, () => outcomes.cancelled++));
    }
    const limit = crowd(i, roll);
    while (harness.engine.tracked >= limit) await sleep(1);
  }
  await harness.idle();
  outcomes.ended = ended.length;
  return { harness, outcomes, ended };
}

describe('500 requests that come, fail and go at random', () => {
  let run: Awaited<ReturnType<typeof abuse>>;
  beforeAll(async () => {
    run = await abuse(1);
  });

  it('meet every fate', () => {
    const { ended, refused, cancelled } = run.outcomes;
    expect(ended + refused + cancelled).toBe(500);
    expect(Math.min(ended, refused, cancelled)).toBeGreaterThan(10);
  });

  it('leave nothing behind', () => {
    const { engine, model } = run.harness;
    const { running, waiting, kvCacheUsage, prefixCacheBytes } = engine.stats();
    expect({ running, waiting, kvCacheUsage }).toEqual({ running: 0, waiting: 0, kvCacheUsage: 0 });
    expect([model.runner.cache.lanes, model.runner.cache.capacity, engine.tracked]).toEqual([0, 0, 0]);
    expect(prefixCacheBytes).toBeLessThanOrEqual(prefixTokens * model.runner.cache.bytesPerToken);
  });

  it('do not change a token of those that run to their end', async () => {
    for (const { request, result } of run.ended) {
      const quiet = new EngineHarness(options);
      expect(result.choices).toEqual((await quiet.submit(request).result).choices);
    }
  });
});
