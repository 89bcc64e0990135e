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

function visualTokensBody({ images, encoded, merged, perLayer, kvRows, kvBytes, mode }: VisualTokenReceipt) {
  return { images, encoded, merged, tokens_per_layer: perLayer, kv_rows: kvRows, kv_bytes: kvBytes, mode };
}

function flopsBody({ executed, dense, overhead }: FlopsReceipt) {
  return { executed, dense, overhead, saved: dense === 0 ? 0 : 1 - executed / dense };
}
