import { describe, expect, it } from 'vitest';
import type { Cursor } from '../../../../src/decoding/speculative/draft-source.js';
import { PredictionSource } from '../../../../src/decoding/speculative/sources/prediction-source.js';
import { TokenPath } from '../../../../src/decoding/speculative/token-path.js';

const guess = [10, 11, 12, 13, 14, 15, 16, 17];

/** What is proposed after an answer, token by token; the prompt is of tokens that no guess contains. */
function proposedAfter(answer: readonly number[], ...readings: readonly (readonly number[])[]): number[] {
  const source = new PredictionSource(readings);
  const committed = [1, 2, 3];
  for (const token of answer) {
    proposals(source, committed);
    committed.push(token);
    source.commit([token]);
  }
  return proposals(source, committed).map(({ token }) => token);
}

interface Proposal {
  readonly token: number;
  readonly cursor: Cursor | undefined;
}

function proposals(source: PredictionSource, committed: readonly number[]): Proposal[] {
  const proposed: Proposal[] = [];
  source.expand(new TokenPath(committed, []), undefined, {
    allowed: undefined,
    propose: (token, _feature, cursor) => proposed.push({ token, cursor }),
    otherwise: () => {},
  });
  return proposed;
}

describe('a prediction', () => {
  it('is proposed from its start', () => {
    expect(proposedAfter([], guess)).toEqual([10]);
    expect(proposedAfter([10, 11], guess)).toEqual([12]);
    expect(proposedAfter(guess, guess)).toEqual([]);
  });

  it('goes on behind a token that was replaced, left out or put in', () => {
    expect(proposedAfter([10, 11, 99], guess)).toEqual([13, 12]);
    expect(proposedAfter([10, 11, 99, 13], guess)).toEqual([14]);
    expect(proposedAfter([10, 11, 13], guess)).toEqual([14, 12]);
    expect(proposedAfter([10, 11, 99, 12], guess)).toEqual([13]);
  });

  it('is given up after a few wrong tokens and found again by two that agree', () => {
    const lost = [10, 96, 97, 98, 99];
    expect(proposedAfter(lost, guess)).toEqual([]);
    expect(proposedAfter([...lost, 15], guess)).toEqual([]);
    expect(proposedAfter([...lost, 15, 16], guess)).toEqual([17]);
  });

  it('may begin in two ways, each of which leads into the whole', () => {
    const otherwise = [50, 11, 12];
    expect(proposedAfter([], guess, otherwise)).toEqual([10, 50]);
    expect(proposedAfter([50], guess, otherwise)).toEqual([11]);
    expect(proposedAfter([50, 11, 12], guess, otherwise)).toEqual([13]);
    expect(proposedAfter([10], guess, otherwise)).toEqual([11]);
  });

  it('counts the positions of all readings as those of the first', () => {
    const source = new PredictionSource([guess, [50, 51, 11]]);
    expect(proposals(source, [1]).map(({ cursor }) => source.positionOf(cursor!))).toEqual([0, 0]);
  });
});
