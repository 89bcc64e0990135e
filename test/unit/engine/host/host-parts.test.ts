import { describe, expect, it } from 'vitest';
import type { GenerateEvent } from '../../../../src/core/messages.js';
import { cacheBytes, engineConfigSchema } from '../../../../src/engine/config.js';
import { CarriedStats } from '../../../../src/engine/host/carried-stats.js';
import { EventStream } from '../../../../src/engine/host/event-stream.js';
import { ServiceTime } from '../../../../src/engine/worker/service-time.js';
import { EngineHarness } from '../../../helpers/engine-harness.js';

const start = (promptTokens: number): GenerateEvent => ({ type: 'start', promptTokens, cachedTokens: 0 });

async function drain(stream: EventStream): Promise<number[]> {
  const seen: number[] = [];
  for await (const event of stream) if (event.type === 'start') seen.push(event.promptTokens);
  return seen;
}

describe('EventStream', () => {
  it('delivers in order what came before, during and at the end of the iteration', async () => {
    const stream = new EventStream();
    stream.push(start(1));
    const drained = drain(stream);
    await new Promise(setImmediate);
    stream.push(start(2));
    stream.push(start(3));
    await new Promise(setImmediate);
    stream.push(start(4));
    stream.end();
    expect(await drained).toEqual([1, 2, 3, 4]);
  });

  it('throws its error after what came before it, and only the first', async () => {
    const stream = new EventStream();
    stream.push(start(1));
    stream.fail(new Error('first'));
    stream.fail(new Error('second'));
    stream.end();
    const iterator = stream[Symbol.asyncIterator]();
    expect((await iterator.next()).value).toEqual(start(1));
    await expect(iterator.next()).rejects.toThrow('first');
  });
});

describe('CarriedStats', () => {
  it('adds up counters over workers and keeps gauges as they are now', () => {
    const stats = new CarriedStats();
    const worker = { ...new EngineHarness().engine.stats(), running: 3, decodeTokensTotal: 10 };
    stats.update(worker);
    expect(stats.total).toMatchObject({ running: 3, decodeTokensTotal: 10 });
    stats.workerEnded();
    expect(stats.total).toMatchObject({ running: 0, decodeTokensTotal: 10, kvBlockSize: worker.kvBlockSize });
    stats.update({ ...worker, running: 1, decodeTokensTotal: 5 });
    stats.update({ ...worker, running: 2, decodeTokensTotal: 7 });
    expect(stats.total).toMatchObject({ running: 2, decodeTokensTotal: 17 });
  });
});

describe('ServiceTime', () => {
  it('says at least a second, and how many rounds of recent requests there are ahead', () => {
    const serviceTime = new ServiceTime();
    expect(serviceTime.untilFree(100, 8)).toBe(1);
    serviceTime.add(4000);
    expect(serviceTime.untilFree(8, 8)).toBe(4);
    expect(serviceTime.untilFree(9, 8)).toBe(8);
    expect(serviceTime.untilFree(10_000, 1)).toBe(120);
  });
});

describe('the configuration of the engine', () => {
  it('has a default for everything', () => {
    expect(engineConfigSchema.parse({})).toMatchObject({ maxLanes: 8, maxQueue: 64, prefillChunk: 128 });
  });

  it('refuses unknown keys and values out of range', () => {
    for (const wrong of [{ maxlanes: 8 }, { maxLanes: 0 }, { kvCacheBytes: 'much' }, { prefillChunk: 1.5 }]) {
      expect(engineConfigSchema.safeParse(wrong).success).toBe(false);
    }
  });

  it('takes a bounded share of the free memory unless told otherwise', () => {
    const gib = 2 ** 30;
    const config = engineConfigSchema.parse({});
    expect(cacheBytes(config, 8 * gib)).toEqual({ kv: 2 * gib, prefix: Math.floor(0.8 * gib) });
    expect(cacheBytes(config, 1000 * gib)).toEqual({ kv: 4 * gib, prefix: gib });
    expect(cacheBytes({ ...config, kvCacheBytes: 5e6, prefixCacheBytes: 0 }, gib)).toEqual({
      kv: 5e6,
      prefix: 0,
    });
  });
});
