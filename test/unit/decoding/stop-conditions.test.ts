import { describe, expect, it } from 'vitest';
import type { StopParams } from '../../../src/core/messages.js';
import { StopConditions } from '../../../src/decoding/stop-conditions.js';

const EOS = 2;
const plain: StopParams = {
  strings: [],
  tokenIds: [],
  ignoreEos: false,
  maxTokens: undefined,
  minTokens: 0,
  includeStopString: false,
};
const conditions = (stop: Partial<StopParams>, maxTokens = 100) =>
  new StopConditions({ ...plain, ...stop }, [EOS, 3], maxTokens);

describe('StopConditions', () => {
  it('stops at every end-of-sequence token, without naming it', () => {
    for (const id of [EOS, 3])
      expect(conditions({}).check(id, 1)).toEqual({ reason: 'stop', matchedStop: null });
    expect(conditions({}).check(4, 1)).toBeNull();
  });

  it('stops at a stop token and names it', () => {
    expect(conditions({ tokenIds: [9] }).check(9, 1)).toEqual({ reason: 'stop', matchedStop: 9 });
  });

  it('goes past end of sequence with ignoreEos, but not past stop tokens', () => {
    const stop = conditions({ ignoreEos: true, tokenIds: [9] });
    expect(stop.check(EOS, 1)).toBeNull();
    expect(stop.check(9, 1)?.reason).toBe('stop');
    expect([EOS, 9, 5].map((id) => stop.isEnding(id))).toEqual([false, true, false]);
  });

  it('ends at the length limit, and prefers stop when both fall together', () => {
    const stop = conditions({}, 3);
    expect(stop.check(7, 2)).toBeNull();
    expect(stop.check(7, 3)).toEqual({ reason: 'length', matchedStop: null });
    expect(stop.check(EOS, 3)?.reason).toBe('stop');
  });

  it('bans everything that would end the text until minTokens are out', () => {
    const stop = conditions({ minTokens: 2, tokenIds: [9, EOS] });
    expect(stop.bannedTokens(0)).toEqual([EOS, 3, 9]);
    expect(stop.bannedTokens(1)).toEqual([EOS, 3, 9]);
    expect(stop.bannedTokens(2)).toEqual([]);
    expect(stop.check(9, 1)).toBeNull();
    expect(stop.mayStop(1)).toBe(false);
    expect(stop.mayStop(2)).toBe(true);
  });
});
