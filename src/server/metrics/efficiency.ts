/**
 * trimtab_images_total{model, source}            images of requests: encoded, or found in the cache
 * trimtab_visual_views_total{model, kind}        views, tiles and frames: looked_at, and full as if there were no budget
 * trimtab_visual_tokens_total{model, stage}      tokens of images: encoded, then merged
 * trimtab_visual_seconds_total{model, stage}     time for images: encode, merge
 * trimtab_image_request_flops_total{model, kind} operations of requests with images: executed, and dense as if
 *                                                nothing had been merged, pruned or cached
 */

import { Counter, type Registry } from 'prom-client';
import type { FlopsReceipt, VisualTokenReceipt } from '../../core/efficiency-receipt.js';
import type { GenerateEvent } from '../../core/messages.js';

export class EfficiencyMetrics {
  private readonly images: Counter<'model' | 'source'>;
  private readonly views: Counter<'model' | 'kind'>;
  private readonly tokens: Counter<'model' | 'stage'>;
  private readonly seconds: Counter<'model' | 'stage'>;
  private readonly flops: Counter<'model' | 'kind'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.images = new Counter({
      name: 'trimtab_images_total',
      help: 'Images of requests, encoded or found in the cache.',
      labelNames: ['model', 'source'],
      registers,
    });
    this.views = new Counter({
      name: 'trimtab_visual_views_total',
      help: 'Views of images and frames of videos, those looked at and those there would be without a budget.',
      labelNames: ['model', 'kind'],
      registers,
    });
    this.tokens = new Counter({
      name: 'trimtab_visual_tokens_total',
      help: 'Tokens of images, as encoded and after merging.',
      labelNames: ['model', 'stage'],
      registers,
    });
    this.seconds = new Counter({
      name: 'trimtab_visual_seconds_total',
      help: 'Time spent on encoding and merging images.',
      labelNames: ['model', 'stage'],
      registers,
    });
    this.flops = new Counter({
      name: 'trimtab_image_request_flops_total',
      help: 'Floating-point operations of requests with images, executed and without any saving.',
      labelNames: ['model', 'kind'],
      registers,
    });
  }

  observe(model: string, event: GenerateEvent): void {
    if (event.type !== 'end') return;
    const { visualTokens, flops } = event.usage.efficiency ?? {};
    if (visualTokens !== undefined) this.#observeImages(model, visualTokens);
    if (flops !== undefined) this.#observeFlops(model, flops);
  }

  #observeImages(model: string, receipt: VisualTokenReceipt): void {
    this.images.inc({ model, source: 'encoded' }, receipt.images - receipt.cachedImages);
    this.images.inc({ model, source: 'cache' }, receipt.cachedImages);
    this.views.inc({ model, kind: 'looked_at' }, receipt.views);
    this.views.inc({ model, kind: 'full' }, receipt.fullViews);
    this.tokens.inc({ model, stage: 'encoded' }, receipt.encoded);
    this.tokens.inc({ model, stage: 'merged' }, receipt.merged);
    this.seconds.inc({ model, stage: 'encode' }, Math.max(0, receipt.encodeMs) / 1000);
    this.seconds.inc({ model, stage: 'merge' }, receipt.mergeMs / 1000);
  }

  #observeFlops(model: string, { executed, dense }: FlopsReceipt): void {
    this.flops.inc({ model, kind: 'executed' }, executed);
    this.flops.inc({ model, kind: 'dense' }, dense);
  }
}
