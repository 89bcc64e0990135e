/** The one place where rows of an image become fewer. */

import { setImmediate } from 'node:timers/promises';
import type { TokenMerging } from '../../core/efficiency.js';
import { mergedCount, mergeFlops, mergeGroups } from '../visual-tokens/merge-groups.js';
import type { VisualFeatures } from './visual-features.js';

/** How a request wants its images reduced. */
export interface VisualPolicy {
  /** Part of every key under which rows are kept. */
  readonly key: string;
  readonly merging: TokenMerging | undefined;
}

export const keepAll: VisualPolicy = { key: 'all', merging: undefined };

export function visualPolicy(merging: TokenMerging | undefined): VisualPolicy {
  if (merging === undefined || merging.keep === 1) return keepAll;
  return { key: `merge:${merging.keep}:${merging.order}`, merging };
}

/**
 * The policy for an image whose tiles have more tokens than the prompt would hold without merging, because padding
 * and too fine tiles are left out there: the keep ratio is that of the prompt, not of the tiles.
 */
export function policyFor(policy: VisualPolicy, promptTokens: number, tileTokens: number): VisualPolicy {
  const { merging } = policy;
  if (merging === undefined || promptTokens >= tileTokens) return policy;
  return visualPolicy({ ...merging, keep: (merging.keep * promptTokens) / tileTokens });
}

/** Rows that are left of each group, known before any of them is computed. */
export function reducedTokens(tokensPerGroup: number, { merging }: VisualPolicy): number {
  return merging === undefined ? tokensPerGroup : mergedCount(tokensPerGroup, merging.keep);
}

/** Operations that `reduceVisualTokens` takes. */
export function reductionFlops(
  { groups, tokensPerGroup, width, metric }: VisualFeatures,
  { merging }: VisualPolicy,
): number {
  if (merging === undefined) return 0;
  const metricWidth = metric === undefined ? width : metric.length / (groups * tokensPerGroup);
  return groups * mergeFlops(tokensPerGroup, metricWidth, merging.keep);
}

/** Group by group, so that sequences which decode get their steps in between. */
export async function reduceVisualTokens(
  features: VisualFeatures,
  policy: VisualPolicy,
): Promise<VisualFeatures> {
  const { groups, tokensPerGroup, width } = features;
  const { merging } = policy;
  if (merging === undefined) return features;
  const left = reducedTokens(tokensPerGroup, policy);
  const reduced = new Float32Array(groups * left * width);
  for (let group = 0; group < groups; group++) {
    const merged = mergeGroups(groupOf(features, group), merging.keep, merging.order);
    reduced.set(merged.features, group * left * width);
    await setImmediate();
  }
  return { groups, tokensPerGroup: left, width, features: reduced, metric: undefined };
}

function groupOf({ groups, features, metric, ...rest }: VisualFeatures, group: number): VisualFeatures {
  const part = (all: Float32Array) =>
    all.subarray((group * all.length) / groups, ((group + 1) * all.length) / groups);
  return { ...rest, groups: 1, features: part(features), metric: metric && part(metric) };
}
