import { afterEach, expect, it, vi } from 'vitest';
import { RankingBudget } from '../../../../src/decoding/speculative/ranking-budget.js';

afterEach(() => void vi.restoreAllMocks());

it('ranks nothing while an earlier ranking is not paid for, and one row of a hundred steps as long as it takes', () => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const budget = new RankingBudget();
  const rank = () => budget.time(() => (now += 5));
  expect(budget.affordable).toBe(1);
  rank();
  expect(budget.affordable).toBe(0);
  let ranked = 0;
  for (let step = 0; step < 1000; step++) {
    budget.step(5);
    if (budget.affordable === 0) continue;
    ranked++;
    rank();
  }
  expect(ranked).toBeGreaterThanOrEqual(8);
  expect(ranked).toBeLessThanOrEqual(10);
});
