/**
 * `metrics` of a reply, in the shape of vLLM (its docs: Per-Request Acceptance Metrics): what drafts did for this
 * request alone. vLLM leaves it null for several choices or prompts; here they are added up.
 */

import type { DraftReceipt, StepTable } from '../../core/draft-receipt.js';
import { draftSources } from '../../core/efficiency.js';
import type { Usage } from '../../core/messages.js';
import type { DraftMetricsLevel } from '../config.js';
import { tokensPerStep } from './usage.js';

/** Null for a request that may not draft, as in vLLM. */
export function metricsBody(usage: Usage, level: DraftMetricsLevel) {
  if (level === 'none') return {};
  const receipt = usage.efficiency?.draftVerification;
  return { metrics: { speculative_decoding: receipt === undefined ? null : speculativeDecoding(receipt) } };
}

function speculativeDecoding(receipt: DraftReceipt) {
  const { draftedSteps, acceptedTokens, draftedTokens, maxDraftTokens, steps, stepByStep } = receipt;
  return {
    mean_acceptance_length: 1 + ratio(acceptedTokens, draftedSteps),
    draft_acceptance_rate: ratio(acceptedTokens, draftedTokens),
    acceptance_histogram: byAccepted(steps, maxDraftTokens),
    acceptance_histogram_by_draft_length: byDraftLength(steps),
    num_spec_steps: draftedSteps,
    num_accepted_draft_tokens: acceptedTokens,
    num_draft_tokens: draftedTokens,
    num_spec_tokens: maxDraftTokens,
    ...(stepByStep !== undefined && {
      per_step_accepted: stepByStep.accepted,
      per_step_drafted: stepByStep.drafted,
    }),
    ...ownFields(receipt),
  };
}

/** What vLLM does not have. */
function ownFields(receipt: DraftReceipt) {
  const { plainSteps, draftedBySource, acceptedBySource, draftMs, verifyMs } = receipt;
  const bySource = draftSources.map((name) => {
    return [name, { drafted: draftedBySource[name], accepted: acceptedBySource[name] }] as const;
  });
  return {
    num_plain_steps: plainSteps,
    tokens_per_model_step: tokensPerStep(receipt),
    by_source: Object.fromEntries(bySource),
    draft_ms: draftMs,
    verify_ms: verifyMs,
  };
}

/** Index j: the steps with a draft of which j tokens were accepted; one more than may be drafted. */
function byAccepted([, ...drafted]: StepTable, maxDraftTokens: number): number[] {
  return Array.from({ length: maxDraftTokens + 1 }, (_, j) =>
    drafted.reduce((sum, row) => sum + (row[j] ?? 0), 0),
  );
}

/** The same for each length of a draft that there was. */
function byDraftLength(steps: StepTable): Record<string, readonly number[]> {
  const rows = [...steps.entries()].filter(([length, row]) => length > 0 && row.length > 0);
  return Object.fromEntries(rows);
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
