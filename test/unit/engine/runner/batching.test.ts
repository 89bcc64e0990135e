import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelRunner } from '../../../../src/engine/runner/model-runner.js';
import type { LoadedFixture } from '../../../helpers/fixture-model.js';
import { fixtureNames, loadFixture, relativeError } from '../../../helpers/fixture-model.js';
import { feed, lastRow, reset } from '../../../helpers/lanes.js';
import { seededTokens } from '../../../helpers/seeded.js';

const fp32 = { weights: 'fp32', activations: 'fp32' } as const;
const int4 = { weights: 'int4', activations: 'int8' } as const;
const cases = [
  ...fixtureNames.map((name) => ({ name, precision: fp32 })),
  ...['smollm-tied', 'qwen3'].map((name) => ({ name, precision: int4 })),
];
const lengths = [3, 17, 64, 1];

describe.each(cases)('$name in $precision.weights', ({ name, precision }) => {
  let fixture: LoadedFixture;
  let runner: ModelRunner;
  const prompts = (seed = 0) =>
    lengths.map((length, lane) => seededTokens(seed + lane, length, runner.vocabSize));

  beforeAll(async () => {
    fixture = await loadFixture(name, precision);
    runner = fixture.runner;
  });
  afterAll(() => runner.close());

  /** Prompts lane by lane, then four decode steps of all lanes together or of one lane alone. */
  async function decode(only?: number): Promise<Float32Array> {
    const chosen = prompts().filter((_, lane) => only === undefined || only === lane);
    reset(runner, chosen.length, 128);
    for (const [lane, prompt] of chosen.entries()) await feed(runner, lane, [prompt]);
    let logits = new Float32Array(0);
    for (let step = 0; step < 4; step++) {
      const tokens = lengths.map((_, lane) => seededTokens(100 + step, 4, runner.vocabSize)[lane]!);
      const fed = only === undefined ? tokens.map((token) => [token]) : [[tokens[only]!]];
      logits = (await feed(runner, 0, fed)).logits.slice();
    }
    return logits;
  }

  it('should decode lanes of different lengths together as alone', async () => {
    const together = await decode();
    for (const lane of lengths.keys()) {
      const mine = together.subarray(lane * runner.vocabSize, (lane + 1) * runner.vocabSize);
      expect(relativeError(mine, await decode(lane))).toBeLessThan(1e-5);
    }
  });

  it('should append the same rows to the cache in a batch as alone', async () => {
    await decode();
    const together = lengths.map((length, lane) => runner.cache.read(lane, length, length + 4).data);
    for (const [lane, length] of lengths.entries()) {
      await decode(lane);
      expect(relativeError(together[lane]!, runner.cache.read(0, length, length + 4).data)).toBeLessThan(
        1e-5,
      );
    }
  });

  it('should ignore what truncated tokens left in the cache', async () => {
    const [kept, dropped, next] = [11, 12, 13].map((seed) => seededTokens(seed, 9, runner.vocabSize));
    reset(runner, 1, 64);
    await feed(runner, 0, [kept!]);
    const fresh = lastRow(runner, (await feed(runner, 0, [next!])).logits);
    reset(runner, 1, 64);
    await feed(runner, 0, [kept!]);
    await feed(runner, 0, [dropped!]);
    runner.cache.truncate(0, kept!.length);
    expect(lastRow(runner, (await feed(runner, 0, [next!])).logits)).toEqual(fresh);
  });

  it('should go on after the slab has grown as in a slab of that size', async () => {
    const [prompt, next] = [seededTokens(21, 30, runner.vocabSize), seededTokens(22, 1, runner.vocabSize)];
    const decodeAfter = async (first: number, second: number) => {
      reset(runner, 1, first);
      await feed(runner, 0, [prompt]);
      runner.cache.resize(3, second);
      return (await feed(runner, 0, [next])).logits;
    };
    expect(relativeError(await decodeAfter(64, 256), await decodeAfter(256, 256))).toBeLessThan(1e-6);
  });

  it('should run a batch of chunks over lanes of different lengths as one chunk at a time', async () => {
    const chunks = prompts(50).map((_, lane) => seededTokens(60 + lane, 5, runner.vocabSize));
    const start = async () => {
      reset(runner, lengths.length, 128);
      for (const [lane, prompt] of prompts().entries()) await feed(runner, lane, [prompt]);
    };
    await start();
    const together = (await feed(runner, 0, chunks)).logits;
    await start();
    const alone: number[] = [];
    for (const [lane, chunk] of chunks.entries()) alone.push(...(await feed(runner, lane, [chunk])).logits);
    expect(relativeError(together, Float32Array.from(alone))).toBeLessThan(1e-5);
  });
});

describe('answers only for what is asked', () => {
  it('should return logits of the asked rows, in their order, and none when none is asked', async () => {
    const { runner } = await loadFixture('qwen3', fp32);
    const prompt = seededTokens(1, 10, runner.vocabSize);
    reset(runner, 1, 64);
    const { logits: all } = await feed(runner, 0, [prompt]);
    const ask = async (rows: number[]) => {
      runner.cache.truncate(0, 0);
      const request = { firstLane: 0, lanes: 1, rows: 10, tokenIds: Int32Array.from(prompt) };
      return (await runner.forward({ ...request, logitRows: Int32Array.from(rows) })).slice();
    };
    const row = (i: number) => all.subarray(i * runner.vocabSize, (i + 1) * runner.vocabSize);
    const some = await ask([7, 2]);
    expect(relativeError(some, Float32Array.from([...row(7), ...row(2)]))).toBeLessThan(1e-6);
    expect(await ask([])).toHaveLength(0);
    expect(runner.cache.length(0)).toBe(10);
    await runner.close();
  });
});
