/** What drafting did, as callers see it. */

import type { DraftReceipt } from '../../core/efficiency-receipt.js';
import type { Drafter } from '../../decoding/speculative/drafter.js';

export function draftReceipt({ counters, prediction }: Drafter): DraftReceipt {
  return {
    draftedSteps: counters.draftedSteps,
    plainSteps: counters.plainSteps,
    draftedTokens: counters.drafted,
    acceptedTokens: counters.accepted,
    draftMs: counters.draftMs,
    acceptedByDepth: counters.acceptedByDepth,
    stepsByNodes: counters.stepsByNodes,
    rejectedByGrammar: counters.rejectedByGrammar,
    draftedBySource: counters.draftedBySource,
    acceptedBySource: counters.acceptedBySource,
    acceptedPrediction: prediction.accepted,
    rejectedPrediction: prediction.rejected,
  };
}
