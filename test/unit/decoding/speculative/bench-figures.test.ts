import { describe, expect, it } from 'vitest';
import type { Answer, Round } from '../../../../bench/drafts/answers.js';
import { figuresOf, type Pair } from '../../../../bench/drafts/figures.js';

const answer = (tokens: number, decodeMs: number, drafts?: Answer['drafts']): Answer => {
  return { text: 'same', tokens, firstTokenMs: 5, decodeMs, drafts };
};
const alone = (only: Answer): Round => ({ answers: [only], wallMs: 1000 });
const pair = (plain: Answer, drafted: Answer): Pair => {
  return { category: 'any', plain: alone(plain), drafted: alone(drafted) };
};

/** Ten steps, of which two verified three tokens each: one took all of them, one only the first. */
const drafts = { draftedSteps: 2, plainSteps: 8, draftedTokens: 6, acceptedByDepth: [2, 1, 1], draftMs: 1 };

describe('figures of drafting', () => {
  it('weighs rounds alike in the mean of speeds, and milliseconds in the whole', () => {
    const pairs = [pair(answer(11, 100), answer(11, 50)), pair(answer(101, 100), answer(101, 100))];
    const { speedUp, overall, geometricMean } = figuresOf(pairs);
    expect(speedUp).toBeCloseTo((0.2 + 1) / (0.1 + 1));
    expect(overall).toBeCloseTo(110 / 150 / (110 / 200));
    expect(geometricMean).toBeCloseTo(Math.sqrt(2));
  });

  it('counts tokens, rows and accepted depths over all steps', () => {
    const figures = figuresOf([pair(answer(15, 14), answer(15, 10, drafts))]);
    expect(figures.tokensPerStep).toBeCloseTo(1.4);
    expect(figures.rows).toBeCloseTo(1.6);
    expect(figures.plainSteps).toBeCloseTo(0.8);
    expect(figures.draftMicroseconds).toBeCloseTo(100);
    expect(figures.acceptance.slice(0, 4)).toEqual([1, 0.5, 0.5, 0]);
  });

  it('holds the geometric mean in its interval, which narrows with more rounds', () => {
    const rounds = (count: number) =>
      Array.from({ length: count }, (_, i) => pair(answer(11, 100), answer(11, i % 2 === 0 ? 80 : 100)));
    const [few, many] = [figuresOf(rounds(8)), figuresOf(rounds(200))];
    for (const { interval, geometricMean } of [few, many]) {
      expect(interval[0]).toBeLessThan(geometricMean);
      expect(interval[1]).toBeGreaterThan(geometricMean);
    }
    expect(many.interval[1] - many.interval[0]).toBeLessThan((few.interval[1] - few.interval[0]) / 2);
    expect(figuresOf(rounds(8)).interval).toEqual(few.interval);
  });

  it('leaves out answers of a single token', () => {
    const pairs = [pair(answer(1, 0), answer(1, 0)), pair(answer(11, 100), answer(11, 50))];
    expect(figuresOf(pairs).speedUp).toBeCloseTo(2);
  });
});
