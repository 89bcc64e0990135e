import { describe, expect, it } from 'vitest';
import { Sampler } from '../../../../src/decoding/sampler.js';
import { SlabLaneCache } from '../../../../src/engine/kv-cache/slab-lane-cache.js';
import { PrefillPacer } from '../../../../src/engine/scheduler/prefill-pacer.js';
import { PrefillTurns } from '../../../../src/engine/scheduler/prefill-turns.js';
import { SlabBudget } from '../../../../src/engine/scheduler/slab-budget.js';
import { WaitingQueue } from '../../../../src/engine/scheduler/waiting-queue.js';
import { Generation } from '../../../../src/engine/sequence/generation.js';
import type { Sequence } from '../../../../src/engine/sequence/sequence.js';
import { BYTE_VOCAB_SIZE, ByteTokenizer } from '../../../helpers/byte-tokenizer.js';
import { FakeRunner } from '../../../helpers/fake-runner.js';
import { generateRequest } from '../../../helpers/generate-request.js';

const model = {
  tokenizer: new ByteTokenizer(),
  sampler: new Sampler(BYTE_VOCAB_SIZE),
  eosTokenIds: [],
  fingerprint: 'f',
  maxLength: 100,
  cost: { shape: new FakeRunner().shape, kvRowBytes: 1, chunk: 128 },
  drafting: undefined,
  numericsClass: 'A' as const,
  rowsAreExact: false,
  efficiency: [],
};

let order = 0;
function sequence(rank: number): Sequence {
  const listener = { emit: () => {}, fail: () => {} };
  const prompt = { ids: [1, 2], text: '' };
  return new Generation(generateRequest(), prompt, model, { rank, order: order++ }, listener).leader;
}

describe('WaitingQueue', () => {
  it('hands out the lowest rank first, and equals in order of arrival', () => {
    const queue = new WaitingQueue();
    const sequences = [5, 1, 3, 1].map(sequence);
    for (const each of sequences) queue.push(each);
    const handedOut = sequences.map(() => queue.shift());
    expect(handedOut).toEqual([1, 3, 2, 0].map((index) => sequences[index]));
    expect(queue.first()).toBeUndefined();
  });

  it('lets go of cancelled requests and counts those that never ran', () => {
    const queue = new WaitingQueue();
    const [cancelled, admitted, fresh] = [sequence(1), sequence(2), sequence(3)];
    for (const each of [cancelled, admitted, fresh]) queue.push(each);
    cancelled.generation.cancelled = true;
    admitted.generation.admit(0, 0);
    queue.removeCancelled();
    expect([queue.size, queue.fresh, queue.first()]).toEqual([2, 1, admitted]);
  });
});

describe('PrefillTurns', () => {
  it('gives every other chunk to the first in rank and shares the rest among all', () => {
    const turns = new PrefillTurns();
    const [first, second, third] = [sequence(1), sequence(2), sequence(3)];
    const given = Array.from({ length: 12 }, () => turns.next([third, second, first])!);
    const count = (wanted: Sequence) => given.filter((each) => each === wanted).length;
    expect(count(first)).toBeGreaterThanOrEqual(6);
    expect(Math.min(count(second), count(third))).toBeGreaterThanOrEqual(2);
  });

  it('has nothing to give when nobody prefills', () => {
    expect(new PrefillTurns().next([])).toBeUndefined();
  });
});

describe('PrefillPacer', () => {
  it('gives full chunks when nothing decodes', () => {
    expect(new PrefillPacer(256, 100).chunk(0)).toBe(256);
  });

  it('begins small beside decoding lanes and grows to what the delay affords', () => {
    const pacer = new PrefillPacer(256, 100);
    expect(pacer.chunk(1)).toBe(32);
    pacer.measured(32, 16);
    expect(pacer.chunk(1)).toBe(192);
    pacer.measured(192, 20);
    expect(pacer.chunk(1)).toBe(256);
  });

  it('shrinks to a granule, never to nothing, when chunks get slow', () => {
    const pacer = new PrefillPacer(256, 10);
    for (let i = 0; i < 20; i++) pacer.measured(32, 1000);
    expect(pacer.chunk(3)).toBe(32);
  });

  it('keeps to a full chunk that is smaller than a granule', () => {
    expect(new PrefillPacer(16, 100).chunk(1)).toBe(16);
  });
});

describe('SlabBudget', () => {
  const newCache = () => new SlabLaneCache({ layers: 1, kvHeads: 1, headDim: 1, step: 8 });
  const bytesOf = (tokens: number) => tokens * newCache().bytesPerToken;
  const shape = ({ lanes, capacity }: SlabLaneCache) => [lanes, capacity];

  it('knows the longest sequence that fits with the capacity rounded up', () => {
    expect(new SlabBudget(newCache(), bytesOf(100)).longestSequence).toBe(96);
    expect(new SlabBudget(newCache(), bytesOf(3)).longestSequence).toBe(0);
  });

  it('grows with room to spare, but exactly where the budget ends', () => {
    const cache = newCache();
    const budget = new SlabBudget(cache, bytesOf(200));
    budget.reserve(1, 64);
    expect(shape(cache)).toEqual([1, 88]);
    budget.reserve(2, 70);
    expect(shape(cache)).toEqual([2, 88]);
    budget.reserve(2, 96);
    expect(shape(cache)).toEqual([2, 96]);
    expect(budget.usage).toBeCloseTo(0.96);
  });

  it('shrinks only when far too large, and to nothing when idle', () => {
    const cache = newCache();
    const budget = new SlabBudget(cache, bytesOf(1000));
    budget.reserve(4, 160);
    budget.trim(2, 100);
    expect(shape(cache)).toEqual([4, 192]);
    budget.trim(1, 100);
    expect(shape(cache)).toEqual([1, 192]);
    budget.trim(1, 20);
    expect(shape(cache)).toEqual([1, 32]);
    budget.trim(0, 0);
    expect(shape(cache)).toEqual([0, 0]);
  });
});
