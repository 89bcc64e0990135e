import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { costCurves } from '../../../../bench/drafts/cost-curves.js';
import { guessedTokens } from '../../../../bench/drafts/one-in-ten.js';
import type { RecordedTurn } from '../../../../bench/drafts/recorded-turns.js';
import { adaptive, fixed, type ReplayDrafter, speedUp, sum } from '../../../../bench/drafts/replay.js';
import { type DraftSourceName, draftSources } from '../../../../src/core/efficiency.js';
import { AdedCompat } from '../../../../src/decoding/speculative/published/aded-compat.js';
import { promptLookup } from '../../../../src/decoding/speculative/published/prompt-lookup.js';

/** Greedy answers of models/nano to shipped prompts; `bench/record-answers.ts` wrote them. */
const turns = readFileSync(new URL('../../../fixtures/recorded-nano.jsonl', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line): RecordedTurn => JSON.parse(line));
const guessed = turns.map((turn): RecordedTurn => ({ ...turn, prediction: guessedTokens(turn.answer) }));

/** A figure may fall by so much; who makes it better writes the new one down. */
const REGRESSION = 0.01;
const atLeast = (value: number) => value * (1 - REGRESSION);

type Curve = keyof typeof costCurves;
const replay = (drafter: ReplayDrafter, asked = turns) => {
  const total = sum(asked.map(drafter));
  return { speedUp: speedUp(total), tokensPerStep: total.tokens / total.steps };
};
const own = (curve: Curve, sources: readonly DraftSourceName[] = draftSources) =>
  adaptive(costCurves[curve], sources);

describe('recorded answers, replayed', () => {
  // Looking for drafts takes no time, so that the same code has the same figures everywhere.
  beforeEach(() => void vi.spyOn(performance, 'now').mockReturnValue(0));
  afterEach(() => void vi.restoreAllMocks());

  it.each([
    { curve: 'int4', cold: 1.643, again: 2.163, predicted: 2.117 },
    { curve: 'fp32', cold: 2.231, again: 4.819, predicted: 4.034 },
  ] as const)('keeps its modelled speed-up where steps cost as in $curve', (expected) => {
    const drafter = own(expected.curve);
    const [cold, again] = [replay(drafter).speedUp, replay(drafter).speedUp];
    const predicted = replay(own(expected.curve), guessed).speedUp;
    expect(cold).toBeGreaterThan(atLeast(expected.cold));
    expect(again).toBeGreaterThan(atLeast(expected.again));
    expect(predicted).toBeGreaterThan(atLeast(expected.predicted));
  });

  it('keeps its tokens per step where verification is free', () => {
    expect(replay(own('free')).tokensPerStep).toBeGreaterThan(atLeast(3.913));
  });

  it.each(['int4', 'fp32'] as const)('beats every source alone and published drafts, %s', (curve) => {
    const all = replay(own(curve)).speedUp;
    const others = [
      replay(own(curve, ['context'])),
      replay(own(curve, ['history'])),
      replay(own(curve, ['ngram'])),
      replay(fixed(costCurves[curve], promptLookup)),
      replay(fixed(costCurves[curve], new AdedCompat())),
    ];
    for (const other of others) expect(all).toBeGreaterThan(atLeast(other.speedUp));
  });
});
