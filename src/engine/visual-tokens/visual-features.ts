/** What a vision encoder gives per image, and what is left of it after merging. */

/** Groups are frames, tiles or images; tokens of different groups never mix. */
export interface VisualFeatures {
  readonly groups: number;
  readonly tokensPerGroup: number;
  readonly width: number;
  /** `[groups, tokensPerGroup, width]` */
  readonly features: Float32Array;
  /** What similarity is measured on, `[groups, tokensPerGroup, metricWidth]`; the features themselves if absent. */
  readonly metric?: Float32Array;
}

export interface MergedFeatures extends VisualFeatures {
  /** `[groups, tokens before merging]`: the token, counted inside its group, that each one became part of. */
  readonly memberOf: Int32Array;
}
