import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { EfficiencyReceipt } from '../../../src/core/efficiency-receipt.js';
import { EfficiencyMetrics } from '../../../src/server/metrics/efficiency.js';
import { usageBody } from '../../../src/server/openai/usage.js';

const efficiency: EfficiencyReceipt = {
  visualTokens: {
    images: 3,
    cachedImages: 1,
    lowerCached: 7,
    views: 5,
    fullViews: 9,
    encoded: 48,
    merged: 12,
    perLayer: [30, 24],
    kvRows: 54,
    kvBytes: 4320,
    mode: 'compact',
    encodeMs: 200,
    mergeMs: 3.0612,
    prefillMs: 20,
  },
  flops: { executed: 250, dense: 1000, overhead: 5 },
};
const usage = { promptTokens: 30, cachedTokens: 4, completionTokens: 6, efficiency };

describe('a receipt', () => {
  it('is part of usage, in the words of the API', () => {
    expect(usageBody(usage, true).efficiency).toEqual({
      visual_tokens: {
        images: 3,
        cached_images: 1,
        lower_cached_tokens: 7,
        views: 5,
        full_views: 9,
        encoded: 48,
        merged: 12,
        tokens_per_layer: [30, 24],
        kv_rows: 54,
        kv_bytes: 4320,
        mode: 'compact',
        encode_ms: 200,
        merge_ms: 3.1,
        prefill_ms: 20,
      },
      flops: { executed: 250, dense: 1000, overhead: 5, saved: 0.75 },
    });
    expect(usageBody({ promptTokens: 1, cachedTokens: 0, completionTokens: 1 }, true)).not.toHaveProperty(
      'efficiency',
    );
  });

  it('is added up in counters', async () => {
    const registry = new Registry();
    const metrics = new EfficiencyMetrics(registry);
    const timings = { queueMs: 0, prefillMs: 0, decodeMs: 0 };
    for (let i = 0; i < 2; i++) metrics.observe('m', { type: 'end', usage, timings });
    const text = await registry.metrics();
    for (const line of [
      'trimtab_images_total{model="m",source="encoded"} 4',
      'trimtab_images_total{model="m",source="cache"} 2',
      'trimtab_visual_views_total{model="m",kind="looked_at"} 10',
      'trimtab_visual_views_total{model="m",kind="full"} 18',
      'trimtab_visual_tokens_total{model="m",stage="merged"} 24',
      'trimtab_visual_seconds_total{model="m",stage="encode"} 0.4',
      'trimtab_image_request_flops_total{model="m",kind="dense"} 2000',
    ]) {
      expect(text).toContain(line);
    }
  });
});
