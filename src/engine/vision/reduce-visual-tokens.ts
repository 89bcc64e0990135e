/** The one place where rows of an image become fewer. */

import type { VisualFeatures } from './visual-features.js';

/** How a request wants its images reduced; part of every key under which rows are kept. */
export interface VisualPolicy {
  readonly key: string;
}

export const keepAll: VisualPolicy = { key: 'all' };

/** Rows that are left of each group, known before any of them is computed. */
export function reducedTokens(tokensPerGroup: number, _policy: VisualPolicy): number {
  return tokensPerGroup;
}

export function reduceVisualTokens(features: VisualFeatures, _policy: VisualPolicy): VisualFeatures {
  return features;
}
