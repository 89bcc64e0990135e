import { AssertionError } from 'node:assert';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SamplingParams } from '../../../src/core/messages.js';
import { RandomStream } from '../../../src/decoding/random.js';
import { Sampler } from '../../../src/decoding/sampler.js';
import { plainDistribution, plainDraw } from './plain-sampler.js';
import { contextOf, neutral } from './sampling-params.js';

const BANNED = Number.NEGATIVE_INFINITY;
const greedy = { ...neutral, temperature: 0 };

function logitsOf(size: number, seed: number, scale = 4): Float32Array {
  const random = new RandomStream(seed, 9);
  return Float32Array.from({ length: size }, (_, at) => {
    const [a, b] = [random.uniform(2 * at), random.uniform(2 * at + 1)];
    return scale * Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b);
  });
}

describe('processors', () => {
  const sampler = new Sampler(4);
  const pick = (logits: number[], params: Partial<SamplingParams>, context = contextOf()) =>
    sampler.sample(Float32Array.from(logits), { ...greedy, ...params }, context, 0.5);

  it('greedy takes the lowest id of equal logits', () => {
    expect(pick([1, 3, 3, 2], {})).toBe(1);
  });

  it('logit bias is added, and −100 bans', () => {
    expect(pick([5, 4, 0, 0], { logitBias: [[1, 1.5]] })).toBe(1);
    expect(pick([500, 4, 0, 0], { logitBias: [[0, -100]] })).toBe(1);
    expect(pick([500, 4, 0, 0], { logitBias: [[0, -99]] })).toBe(0);
    expect(pick([5, 4, 0, 0], { logitBias: [[77, 100]] })).toBe(0);
  });

  it('the repetition penalty divides positive and multiplies negative logits, over prompt and output, once', () => {
    expect(pick([5, 4, 0, 0], { repetitionPenalty: 1.3 }, contextOf([0]))).toBe(1);
    expect(pick([5, 4, 0, 0], { repetitionPenalty: 1.2 }, contextOf([0, 0, 0], [0, 0]))).toBe(0);
    expect(pick([-1, -1.5, -9, -9], { repetitionPenalty: 2 }, contextOf([], [0]))).toBe(1);
  });

  it('presence and frequency penalties look at the output only, by count', () => {
    expect(pick([5, 4, 0, 0], { presencePenalty: 2, frequencyPenalty: 2 }, contextOf([0, 0, 0]))).toBe(0);
    expect(pick([5, 4, 0, 0], { presencePenalty: 1.1 }, contextOf([], [0]))).toBe(1);
    expect(pick([5, 4, 0, 0], { presencePenalty: 0.9 }, contextOf([], [0, 0, 0]))).toBe(0);
    expect(pick([5, 4, 0, 0], { frequencyPenalty: 0.4 }, contextOf([], [0, 0, 0]))).toBe(1);
  });

  it('tokens banned by min_tokens are not drawn, whatever their bias', () => {
    expect(pick([5, 4, 0, 0], { logitBias: [[0, 50]] }, contextOf([], [], [0]))).toBe(1);
  });

  it('with every token banned, the bans are lifted and the likeliest is taken', () => {
    const logitBias = [0, 1, 2, 3].map((id) => [id, -100] as const);
    expect(pick([1, 2, 9, 3], { logitBias })).toBe(2);
    expect(pick([1, 2, 9, 3], { logitBias, temperature: 1, topP: 0.5, topK: 2 })).toBe(2);
  });

  it('leave the row of logits as it is', () => {
    const logits = Float32Array.of(1, 2, 3, 4);
    const params = {
      ...neutral,
      logitBias: [[1, -100] as const],
      presencePenalty: 1,
      topK: 2,
      topP: 0.5,
      minP: 0.1,
    };
    sampler.sample(logits, params, contextOf([], [3], [2]), 0.5);
    expect([...logits]).toEqual([1, 2, 3, 4]);
  });
});

describe('bad rows', () => {
  const sampler = new Sampler(4);
  it.each([0, 1])('NaN and +Infinity are an assertion error at temperature %d', (temperature) => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      for (const at of [0, 2, 3]) {
        const logits = Float32Array.of(1, 2, 3, 4);
        logits[at] = bad;
        expect(() =>
          sampler.sample(logits, { ...neutral, temperature, topP: 0.9 }, contextOf(), 0.5),
        ).toThrow(AssertionError);
      }
    }
  });

  it('a row of nothing but −Infinity is an assertion error', () => {
    const logits = new Float32Array(4).fill(BANNED);
    for (const params of [greedy, neutral]) {
      expect(() => sampler.sample(logits, params, contextOf(), 0.5)).toThrow(AssertionError);
    }
  });
});

describe('temperature', () => {
  const sampler = new Sampler(1000);
  const logits = logitsOf(1000, 3);
  const best = sampler.sample(logits, greedy, contextOf(), 0);

  it.each([1e-6, 1e-5, 1e-4, 1e-3])('%d is stable and takes the likeliest token', (temperature) => {
    for (const u of [0, 0.3, 0.999_999_999]) {
      const params = { ...neutral, temperature, topP: 0.9, minP: 0.01 };
      expect(sampler.sample(logits, params, contextOf(), u)).toBe(best);
    }
  });

  it('2 flattens without losing mass at the ends', () => {
    const params = { ...neutral, temperature: 2 };
    expect(sampler.sample(logits, params, contextOf(), 0)).toBe(0);
    expect(sampler.sample(logits, params, contextOf(), 1 - 2 ** -53)).toBe(999);
  });
});

describe('fast sampler', () => {
  const paramsArbitrary = fc.record({
    temperature: fc.constantFrom(0, 0.1, 0.7, 1, 1.5, 2),
    topP: fc.constantFrom(1, 0.999, 0.95, 0.5, 0.1, 1e-6),
    topK: fc.constantFrom(0, 1, 2, 5, 40, 1500, 100_000),
    minP: fc.constantFrom(0, 0.001, 0.05, 0.5, 1),
    presencePenalty: fc.constantFrom(0, 0.5, -2),
    frequencyPenalty: fc.constantFrom(0, 0.3, 2),
    repetitionPenalty: fc.constantFrom(1, 1.2, 0.8),
    logitBias: fc.constantFrom<SamplingParams['logitBias']>(
      [],
      [[3, 5]],
      [
        [3, -100],
        [4, 2.5],
      ],
    ),
    seed: fc.constant(undefined),
  });

  it('draws what the plain definition draws, for any parameters', () => {
    const samplers = new Map([17, 300, 3000].map((size) => [size, new Sampler(size)]));
    fc.assert(
      fc.property(
        paramsArbitrary,
        fc.constantFrom(17, 300, 3000),
        fc.nat(1000),
        fc.boolean(),
        fc.array(fc.nat(16), { maxLength: 8 }),
        (params, size, seed, coarse, output) => {
          // Coarse logits have many ties, so thresholds and ends of the nucleus fall on equal tokens.
          const logits = logitsOf(size, seed).map((logit) => (coarse ? Math.round(logit) : logit));
          const context = contextOf([1, 2, 2], output, [5]);
          const distribution = plainDistribution(logits, params, context);
          for (let position = 0; position < 4; position++) {
            const u = new RandomStream(seed, 0).uniform(position);
            expect(samplers.get(size)!.sample(logits, params, context, u)).toBe(plainDraw(distribution, u));
          }
        },
      ),
      { numRuns: 600, seed: 20 },
    );
  });

  it('keeps every token that ties with the k-th', () => {
    const sampler = new Sampler(6);
    const logits = Float32Array.of(1, 5, 3, 3, 3, 0);
    const drawn = new Set<number>();
    for (let i = 0; i < 400; i++) {
      drawn.add(
        sampler.sample(logits, { ...neutral, topK: 2 }, contextOf(), new RandomStream(1, 0).uniform(i)),
      );
    }
    expect([...drawn].sort()).toEqual([1, 2, 3, 4]);
  });

  it('top-p of equal tokens keeps the lowest ids that reach it', () => {
    const sampler = new Sampler(8);
    const drawn = new Set<number>();
    for (let i = 0; i < 400; i++) {
      const u = new RandomStream(1, 0).uniform(i);
      drawn.add(sampler.sample(new Float32Array(8), { ...neutral, topP: 0.5 }, contextOf(), u));
    }
    expect([...drawn].sort()).toEqual([0, 1, 2, 3]);
  });

  it('the same seed gives the same tokens whatever was sampled in between', () => {
    const sampler = new Sampler(500);
    const draw = (position: number) =>
      sampler.sample(
        logitsOf(500, position),
        neutral,
        contextOf(),
        new RandomStream(11, 2).uniform(position),
      );
    const alone = Array.from({ length: 30 }, (_, position) => draw(position));
    const mixed = Array.from({ length: 30 }, (_, position) => {
      sampler.sample(
        logitsOf(500, 99),
        { ...neutral, topK: 7, logitBias: [[1, 9]] },
        contextOf([], [4]),
        0.2,
      );
      return draw(position);
    });
    expect(mixed).toEqual(alone);
  });
});

describe('sampled distribution', () => {
  const size = 24;
  const sampler = new Sampler(size);
  const logits = logitsOf(size, 5, 1.5);
  const cases: Partial<SamplingParams>[] = [
    {},
    { temperature: 0.6 },
    { temperature: 1.7, topK: 7 },
    { topP: 0.8 },
    { minP: 0.15 },
    { temperature: 1.3, topK: 15, topP: 0.9, minP: 0.05 },
    { topP: 0.95, presencePenalty: 0.7, logitBias: [[2, 1]] },
  ];

  it.each(cases)('passes a chi-square test against the exact probabilities: %j', (partial) => {
    const params = { ...neutral, ...partial };
    const context = contextOf([], [1, 2, 3]);
    const exact = plainDistribution(logits, params, context);
    const random = new RandomStream(2024, 0);
    const draws = 60_000;
    const seen = new Array<number>(size).fill(0);
    for (let i = 0; i < draws; i++) seen[sampler.sample(logits, params, context, random.uniform(i))]! += 1;
    exact.forEach((probability, id) => {
      if (probability === 0) expect(seen[id]).toBe(0);
    });
    const cells = exact.map((p, id) => [p * draws, seen[id]!] as const).filter(([expected]) => expected >= 5);
    const chiSquare = cells.reduce((sum, [expected, count]) => sum + (count - expected) ** 2 / expected, 0);
    // Wilson–Hilferty bound of the chi-square distribution at p = 0.001.
    const degrees = Math.max(1, cells.length - 1);
    const bound = degrees * (1 - 2 / (9 * degrees) + 3.09 * Math.sqrt(2 / (9 * degrees))) ** 3;
    expect(chiSquare).toBeLessThan(bound);
  });
});

describe('tokens that a constraint allows', () => {
  const vocabSize = 70;
  const logits = logitsOf(vocabSize, 3);
  const allowedOf = (ids: readonly number[]) => {
    const allowed = new Uint32Array(Math.ceil(vocabSize / 32));
    for (const id of ids) allowed[id >>> 5]! |= 1 << (id & 31);
    return allowed;
  };

  it('are the only ones drawn, greedily the likeliest of them', () => {
    const sampler = new Sampler(vocabSize);
    for (const ids of [
      [5],
      [0, 31, 32, 63, 64, 69],
      [...Array(vocabSize).keys()].filter((id) => id % 3 === 0),
    ]) {
      const context = { ...contextOf(), allowed: allowedOf(ids) };
      const best = ids.reduce((a, b) => (logits[b]! > logits[a]! ? b : a));
      expect(sampler.sample(logits, greedy, context, 0)).toBe(best);
      for (let k = 0; k < 50; k++) {
        expect(ids).toContain(sampler.sample(logits, { ...neutral, temperature: 2 }, context, k / 50));
      }
    }
  });

  it('stay allowed where bans leave nothing', () => {
    const sampler = new Sampler(vocabSize);
    const context = { ...contextOf([], [], [7]), allowed: allowedOf([7]) };
    for (const temperature of [0, 1]) {
      expect(sampler.sample(logits, { ...neutral, temperature }, context, 0.5)).toBe(7);
    }
  });
});
