/** What the encoder saw in one image, before rows are merged. */
export interface VisualFeatures {
  /** Tiles, which are never merged with each other. */
  readonly groups: number;
  readonly tokensPerGroup: number;
  readonly width: number;
  /** `[groups, tokensPerGroup, width]`: tower features where rows are merged before the projector, else projected rows. */
  readonly features: Float32Array;
  /** `[groups, tokensPerGroup, metricWidth]`, by whose likeness rows are merged; without it, the features themselves. */
  readonly metric: Float32Array | undefined;
}
