/** What drafting did for one sequence, as callers see it. */

import type { DraftReceipt, StepTable } from '../../core/draft-receipt.js';
import { DraftCounters } from '../../decoding/speculative/draft-counters.js';
import type { Drafter } from '../../decoding/speculative/drafter.js';

export interface ReceiptShape {
  /** Most tokens that could be drafted for a step. */
  readonly maxDraftTokens: number;
  /** Whether the steps are told one by one. */
  readonly stepByStep: boolean;
}

/** Of a sequence of so many tokens; without a drafter each but the first, which the prompt gave, took a plain step. */
export function draftReceipt(
  drafter: Pick<Drafter, 'counters' | 'prediction'> | undefined,
  outputTokens: number,
  { maxDraftTokens, stepByStep }: ReceiptShape,
): DraftReceipt {
  const { counters, prediction } = drafter ?? {
    counters: plainSteps(outputTokens - 1),
    prediction: { accepted: 0, rejected: 0 },
  };
  const { drafted, accepted } = counters;
  const isDrafted = (_: number, step: number): boolean => drafted[step]! > 0;
  const draftedSteps = drafted.filter(isDrafted).length;
  return {
    maxDraftTokens,
    steps: tableOf(counters),
    draftedSteps,
    plainSteps: drafted.length - draftedSteps,
    draftedTokens: sum(drafted),
    acceptedTokens: sum(accepted),
    tokens: counters.tokens,
    ...(stepByStep && {
      stepByStep: { drafted: drafted.filter(isDrafted), accepted: accepted.filter(isDrafted) },
    }),
    draftMs: counters.draftMs,
    verifyMs: counters.verifyMs,
    acceptedByDepth: counters.acceptedByDepth,
    rejectedByGrammar: counters.rejectedByGrammar,
    draftedBySource: counters.draftedBySource,
    acceptedBySource: counters.acceptedBySource,
    acceptedPrediction: prediction.accepted,
    rejectedPrediction: prediction.rejected,
  };
}

function plainSteps(count: number): DraftCounters {
  const counters = new DraftCounters();
  for (let step = 0; step < count; step++) counters.note([], [], 1);
  return counters;
}

function tableOf({ drafted, accepted }: Pick<DraftCounters, 'drafted' | 'accepted'>): StepTable {
  const table: number[][] = Array.from({ length: drafted.reduce((a, b) => Math.max(a, b), 0) + 1 }, () => []);
  drafted.forEach((count, step) => {
    const row = table[count]!;
    if (row.length === 0) row.push(...Array<number>(count + 1).fill(0));
    row[accepted[step]!]!++;
  });
  return table;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
