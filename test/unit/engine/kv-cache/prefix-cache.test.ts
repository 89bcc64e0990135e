import { describe, expect, it } from 'vitest';
import { PREFIX_BLOCK_TOKENS as BLOCK, PrefixCache } from '../../../../src/engine/kv-cache/prefix-cache.js';
import { SlabLaneCache } from '../../../../src/engine/kv-cache/slab-lane-cache.js';
import { EngineHarness } from '../../../helpers/engine-harness.js';
import type { RequestOverrides } from '../../../helpers/generate-request.js';

const FLOATS_PER_TOKEN = 2;

/** A lane whose rows hold the token ids. */
function laneOf(tokens: readonly number[]): SlabLaneCache {
  const cache = new SlabLaneCache({ layers: 1, kvHeads: 1, headDim: 1 });
  cache.resize(1, tokens.length);
  const rows = Float32Array.from(tokens);
  cache.appendRows(0, 1, tokens.length, [rows], [rows]);
  return cache;
}

const range = (length: number, first = 0) => Array.from({ length }, (_, i) => first + i);
const blockBytes = BLOCK * FLOATS_PER_TOKEN * 4;

function stored(tokens: readonly number[], cache = new PrefixCache(100 * blockBytes)): PrefixCache {
  cache.store({ scope: 'scope', tokens }, laneOf(tokens), 0);
  return cache;
}

const matchedTokens = (cache: PrefixCache, tokens: readonly number[], scope = 'scope') =>
  cache
    .match({ scope, tokens }, tokens.length - 1)
    .flatMap(({ data, length }) => [...data.subarray(0, length)]);

describe('PrefixCache', () => {
  it('returns the rows of the longest common beginning, in whole blocks', () => {
    const cache = stored(range(3 * BLOCK + 5));
    expect(matchedTokens(cache, [...range(2 * BLOCK + 3), 9999, ...range(50)])).toEqual(range(2 * BLOCK));
    expect(matchedTokens(cache, range(100))).toEqual(range(3 * BLOCK));
  });

  it('always leaves the last token to be computed', () => {
    const cache = stored(range(2 * BLOCK));
    expect(matchedTokens(cache, range(2 * BLOCK))).toEqual(range(BLOCK));
    expect(matchedTokens(cache, range(2 * BLOCK + 1))).toEqual(range(2 * BLOCK));
  });

  it('knows nothing of the same tokens in another scope or behind another beginning', () => {
    const cache = stored(range(3 * BLOCK));
    expect(matchedTokens(cache, range(100), 'other')).toEqual([]);
    expect(matchedTokens(cache, range(2 * BLOCK, BLOCK))).toEqual([]);
    expect(matchedTokens(cache, [1, ...range(100).slice(1)])).toEqual([]);
  });

  it('stays within its bytes and lets go of the ends of prefixes before their beginnings', () => {
    const cache = new PrefixCache(3 * blockBytes);
    stored(range(5 * BLOCK), cache);
    expect(cache.bytes).toBe(3 * blockBytes);
    expect(matchedTokens(cache, range(100))).toEqual(range(3 * BLOCK));
    stored(range(2 * BLOCK, 500), cache);
    expect(cache.bytes).toBe(3 * blockBytes);
    expect(matchedTokens(cache, range(100))).toEqual(range(BLOCK));
    expect(matchedTokens(cache, range(100, 500))).toEqual(range(2 * BLOCK, 500));
  });

  it('keeps what was used lately', () => {
    const cache = new PrefixCache(2 * blockBytes);
    stored(range(BLOCK), cache);
    stored(range(BLOCK, 100), cache);
    matchedTokens(cache, range(BLOCK + 1));
    stored(range(BLOCK, 200), cache);
    expect(matchedTokens(cache, range(BLOCK + 1))).toEqual(range(BLOCK));
    expect(matchedTokens(cache, range(BLOCK + 1, 100))).toEqual([]);
  });

  it('counts queried and found tokens', () => {
    const cache = stored(range(2 * BLOCK));
    matchedTokens(cache, range(40));
    matchedTokens(cache, range(7));
    expect([cache.queriedTokens, cache.hitTokens]).toEqual([47, 2 * BLOCK]);
  });

  it('holds nothing when it has no bytes', () => {
    const cache = stored(range(50), new PrefixCache(0));
    expect(matchedTokens(cache, range(50))).toEqual([]);
    expect(cache.bytes).toBe(0);
  });
});

describe('a cached prefix in the engine', () => {
  const prompt = 'p'.repeat(50);
  const cachedTokens = async (harness: EngineHarness, overrides: RequestOverrides) =>
    (await harness.run(overrides)).usage.cachedTokens;

  it('gives the tokens of an uncached run, and computes only the rest of the prompt', async () => {
    const sampled = { sampling: { temperature: 1, seed: 3 }, stop: { maxTokens: 40 } };
    const harness = new EngineHarness({ prefixTokens: 4096 });
    await harness.run({ prompt });
    for (const tail of ['', 'q', 'tail', 'x'.repeat(60)]) {
      const before = harness.engine.counters.prefillTokens;
      const cached = await harness.run({ prompt: prompt + tail, ...sampled, n: 2 });
      const fresh = await new EngineHarness().run({ prompt: prompt + tail, ...sampled, n: 2 });
      expect(cached.choices).toEqual(fresh.choices);
      expect(cached.usage.cachedTokens).toBeGreaterThanOrEqual(3 * BLOCK);
      const computed = harness.engine.counters.prefillTokens - before;
      expect(computed + cached.usage.cachedTokens).toBeLessThanOrEqual(cached.usage.promptTokens);
    }
  });

  it('covers the answer of the turn before', async () => {
    const harness = new EngineHarness({ prefixTokens: 4096 });
    const { choices } = await harness.run({ prompt, stop: { maxTokens: 64 } });
    const next = `${prompt}${choices[0]!.text} and then?`;
    expect(await cachedTokens(harness, { prompt: next })).toBe(Math.floor((1 + 50 + 63) / BLOCK) * BLOCK);
  });

  it('is neither read nor written by a request that opts out', async () => {
    const harness = new EngineHarness({ prefixTokens: 4096 });
    await harness.run({ prompt, cachePrompt: false });
    expect(harness.engine.stats().prefixCacheBytes).toBe(0);
    await harness.run({ prompt });
    expect(await cachedTokens(harness, { prompt, cachePrompt: false })).toBe(0);
    expect(await cachedTokens(harness, { prompt })).toBe(3 * BLOCK);
  });

  it('is shared only among those who know the salt', async () => {
    const harness = new EngineHarness({ prefixTokens: 4096 });
    await harness.run({ prompt, cacheSalt: 'mine' });
    expect(await cachedTokens(harness, { prompt })).toBe(0);
    expect(await cachedTokens(harness, { prompt, cacheSalt: 'yours' })).toBe(0);
    expect(await cachedTokens(harness, { prompt, cacheSalt: 'mine' })).toBe(3 * BLOCK);
  });
});
