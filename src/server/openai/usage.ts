import type { EfficiencyReceipt, FlopsReceipt, VisualTokenReceipt } from '../../core/efficiency.js';
import type { Usage } from '../../core/messages.js';

/** OpenAI's `usage` object, and the receipt of what was saved. */
export function usageBody(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: {
      cached_tokens: usage.cachedTokens,
      audio_tokens: 0,
      ...(usage.images !== undefined && { image_tokens: usage.images.tokens }),
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens ?? 0,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
    ...(usage.efficiency !== undefined && { efficiency: efficiencyBody(usage.efficiency) }),
  };
}

function efficiencyBody({ visualTokens, flops }: EfficiencyReceipt) {
  return {
    ...(visualTokens !== undefined && { visual_tokens: visualTokensBody(visualTokens) }),
    ...(flops !== undefined && { flops: flopsBody(flops) }),
  };
}

function visualTokensBody(receipt: VisualTokenReceipt) {
  return {
    images: receipt.images,
    cached_images: receipt.cachedImages,
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
