import { AssertionError } from 'node:assert';
import { describe, expect, it } from 'vitest';
import { tokenLogprobs } from '../../../src/decoding/logprobs.js';
import { RandomStream } from '../../../src/decoding/random.js';

function randomLogits(size: number, seed: number): Float32Array {
  const random = new RandomStream(seed, 0);
  return Float32Array.from({ length: size }, (_, at) => Math.round((random.uniform(at) * 20 - 10) * 8) / 8);
}

/** By the definition, with a full sort. */
function plain(logits: Float32Array, id: number, count: number) {
  const max = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - max), 0);
  const logprobs = Array.from(logits, (logit) => logit - max - Math.log(sum));
  const order = logprobs.map((_, at) => at).sort((a, b) => logits[b]! - logits[a]! || a - b);
  return {
    logprob: logprobs[id]!,
    top: order.slice(0, count).map((at) => ({ id: at, logprob: logprobs[at]! })),
  };
}

describe('tokenLogprobs', () => {
  it('equals the log-softmax with a full sort, ties to the lower id', () => {
    for (let seed = 0; seed < 40; seed++) {
      const logits = randomLogits(50 + seed, seed);
      for (const count of [0, 1, 5, 20]) {
        const fast = tokenLogprobs(logits, seed, count);
        const slow = plain(logits, seed, count);
        expect(fast.logprob).toBeCloseTo(slow.logprob, 10);
        expect(fast.top.map((token) => token.id)).toEqual(slow.top.map((token) => token.id));
        fast.top.forEach((token, at) => {
          expect(token.logprob).toBeCloseTo(slow.top[at]!.logprob, 10);
        });
      }
    }
  });

  it('is exact for huge logits and −Infinity for impossible tokens', () => {
    const { logprob, top } = tokenLogprobs(Float32Array.of(3e38, 3e38, Number.NEGATIVE_INFINITY), 2, 3);
    expect(logprob).toBe(Number.NEGATIVE_INFINITY);
    expect(top.slice(0, 2)).toEqual([
      { id: 0, logprob: -Math.log(2) },
      { id: 1, logprob: -Math.log(2) },
    ]);
  });

  it('gives all tokens when more are asked for than there are', () => {
    expect(tokenLogprobs(Float32Array.of(1, 2), 0, 20).top.map((token) => token.id)).toEqual([1, 0]);
  });

  it('refuses NaN', () => {
    expect(() => tokenLogprobs(Float32Array.of(1, Number.NaN, 2), 0, 1)).toThrow(AssertionError);
  });
});
