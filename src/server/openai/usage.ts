import type { DraftReceipt } from '../../core/draft-receipt.js';
import type { EfficiencyReceipt, FlopsReceipt, VisualTokenReceipt } from '../../core/efficiency-receipt.js';
import type { Usage } from '../../core/messages.js';

/** OpenAI's `usage` object, and the receipt of what was saved. */
export function usageBody(usage: Usage, countRejected: boolean) {
  const drafts = usage.efficiency?.draftVerification;
  const rejected = drafts?.rejectedPrediction ?? 0;
  const completionTokens = usage.completionTokens + (countRejected ? rejected : 0);
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: completionTokens,
    total_tokens: usage.promptTokens + completionTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cachedTokens,
      audio_tokens: 0,
      ...(usage.images !== undefined && { image_tokens: usage.images.tokens }),
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens ?? 0,
      audio_tokens: 0,
      accepted_prediction_tokens: drafts?.acceptedPrediction ?? 0,
      rejected_prediction_tokens: rejected,
    },
    ...efficiencyBody(usage.efficiency),
  };
}

/** Absent where nothing was merged, pruned or drafted. */
function efficiencyBody({ visualTokens, flops, draftVerification }: EfficiencyReceipt = {}) {
  const efficiency = {
    ...(draftVerification?.draftedSteps && { draft_verification: draftBody(draftVerification) }),
    ...(visualTokens !== undefined && { visual_tokens: visualTokensBody(visualTokens) }),
    ...(flops !== undefined && { flops: flopsBody(flops) }),
  };
  return Object.keys(efficiency).length === 0 ? {} : { efficiency };
}

function draftBody(receipt: DraftReceipt) {
  const { draftedSteps, plainSteps, draftedTokens, acceptedTokens, acceptedByDepth, draftMs } = receipt;
  return {
    drafted_steps: draftedSteps,
    plain_steps: plainSteps,
    drafted_tokens: draftedTokens,
    accepted_tokens: acceptedTokens,
    tokens_per_step: tokensPerStep(receipt),
    accepted_by_depth: acceptedByDepth.slice(0, acceptedByDepth.findLastIndex((count) => count > 0) + 1),
    draft_ms: draftMs,
  };
}

/** Over all steps, plain ones too. */
export function tokensPerStep({ tokens, draftedSteps, plainSteps }: DraftReceipt): number {
  const steps = draftedSteps + plainSteps;
  return steps === 0 ? 1 : tokens / steps;
}

function visualTokensBody(receipt: VisualTokenReceipt) {
  return {
    images: receipt.images,
    cached_images: receipt.cachedImages,
    lower_cached_tokens: receipt.lowerCached,
    views: receipt.views,
    full_views: receipt.fullViews,
    encoded: receipt.encoded,
    merged: receipt.merged,
    tokens_per_layer: receipt.perLayer,
    kv_rows: receipt.kvRows,
    kv_bytes: receipt.kvBytes,
    mode: receipt.mode,
    encode_ms: rounded(receipt.encodeMs),
    merge_ms: rounded(receipt.mergeMs),
    prefill_ms: rounded(receipt.prefillMs),
  };
}

const rounded = (ms: number): number => Math.round(ms * 10) / 10;

function flopsBody({ executed, dense, overhead }: FlopsReceipt) {
  return { executed, dense, overhead, saved: dense === 0 ? 0 : 1 - executed / dense };
}
