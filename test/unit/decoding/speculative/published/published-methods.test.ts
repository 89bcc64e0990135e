import { describe, expect, it } from 'vitest';
import { AdedCompat } from '../../../../../src/decoding/speculative/published/aded-compat.js';
import { promptLookup } from '../../../../../src/decoding/speculative/published/prompt-lookup.js';
import type { DraftShape } from '../../../../../src/decoding/speculative/published/published-method.js';
import { seededTokens } from '../../../../helpers/seeded.js';

/** Tokens of each path from the root to a leaf. */
function paths({ tokens, parents }: DraftShape): number[][] {
  const pathOf = (at: number): number[] => (at < 0 ? [] : [...pathOf(parents[at]!), tokens[at]!]);
  return tokens
    .map((_, at) => at)
    .filter((at) => !parents.includes(at))
    .map(pathOf);
}

describe('ADED as published', () => {
  it('drafts one arbitrary token when it knows nothing', () => {
    expect(new AdedCompat().draft([1, 2, 3])).toEqual({ tokens: [100], parents: [-1] });
  });

  it('follows what stood in its window, up to four tokens deep', () => {
    const text = [1, 2, 3, 4, 5, 6, 7, 8];
    const tree = new AdedCompat().draft([...text, 1, 2]);
    expect(paths(tree)).toEqual([[3, 4, 5, 6]]);
  });

  it('knows nothing of what left the window before it was asked', () => {
    const text = [1, 2, 3, ...Array.from({ length: 16 }, (_, i) => 50 + i), 1, 2];
    expect(new AdedCompat().draft(text)).toEqual({ tokens: [100], parents: [-1] });
  });

  it('branches where it saw several continuations, the most frequent one first', () => {
    const aded = new AdedCompat();
    const tree = aded.draft([1, 2, 3, 9, 1, 2, 4, 9, 1, 2, 4, 8, 1, 2]);
    const first = tree.tokens.filter((_, at) => tree.parents[at] === -1);
    expect(first).toEqual([4, 3]);
  });

  it('keeps within 64 tokens and a depth of 4, parents first, each token once per place', () => {
    const aded = new AdedCompat();
    const text = seededTokens(4, 1500, 6);
    let largest = 0;
    for (let end = 3; end < text.length; end++) {
      const { tokens, parents } = aded.draft(text.slice(0, end));
      largest = Math.max(largest, tokens.length);
      expect(tokens.length).toBeGreaterThan(0);
      expect(new Set(tokens.map((token, at) => `${parents[at]}:${token}`)).size).toBe(tokens.length);
      for (const [at, parent] of parents.entries()) expect(parent).toBeLessThan(at);
      for (const path of paths({ tokens, parents })) expect(path.length).toBeLessThanOrEqual(4);
    }
    expect(largest).toBeGreaterThan(30);
    expect(largest).toBeLessThanOrEqual(64);
  });
});

describe('prompt lookup', () => {
  it('copies ten tokens from behind the first place that ends alike, the longer end first', () => {
    const text = [7, 5, 0, 1, 2, 5, ...Array.from({ length: 12 }, (_, i) => 20 + i), 1, 2, 5];
    const { tokens, parents } = promptLookup.draft(text);
    expect(tokens).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    expect(parents).toEqual([-1, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(promptLookup.draft([7, 5, 0, 9, 5]).tokens).toEqual([0, 9, 5]);
    expect(promptLookup.draft([1, 2, 3])).toEqual({ tokens: [], parents: [] });
  });
});
