import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenHistory } from '../../../src/decoding/token-history.js';

describe('TokenHistory', () => {
  it('counts the output only, and lists the prompt once', () => {
    const history = new TokenHistory([5, 5, 6]);
    history.append(7);
    history.append(7);
    history.append(5);
    expect([...history.promptTokens]).toEqual([5, 6]);
    expect(Object.fromEntries(history.outputCounts)).toEqual({ 7: 2, 5: 1 });
  });

  it('after any appends and truncations equals a history made anew', () => {
    const step = fc.oneof(
      fc.record({ append: fc.integer({ min: 0, max: 5 }) }),
      fc.record({ truncate: fc.integer({ min: 0, max: 30 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const history = new TokenHistory([1]);
        let output: number[] = [];
        for (const action of steps) {
          if ('append' in action) {
            history.append(action.append);
            output.push(action.append);
          } else {
            history.truncate(action.truncate);
            output = output.slice(0, action.truncate);
          }
        }
        const fresh = new TokenHistory([1]);
        for (const id of output) fresh.append(id);
        expect(history.outputLength).toBe(output.length);
        expect(new Map([...history.outputCounts].sort())).toEqual(new Map([...fresh.outputCounts].sort()));
      }),
    );
  });
});
