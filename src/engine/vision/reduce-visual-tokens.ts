/** The one place where rows of an image become fewer. */

import { setImmediate } from 'node:timers/promises';
import type { EfficiencyPlan, TokenMerging } from '../../core/efficiency.js';
import { TrimtabError } from '../../core/errors.js';
import { pooledSide, poolGroups } from '../visual-tokens/grid-pool.js';
import type { MergedFeatures } from '../visual-tokens/merge-groups.js';
import { mergedCount, mergeFlops, mergeGroups } from '../visual-tokens/merge-groups.js';
import type { GroupLayout } from './families/image-family.js';
import type { VisualFeatures } from './visual-features.js';

/** How a request wants the rows of its images reduced. */
export interface VisualPolicy {
  /** Part of every key under which rows are kept. */
  readonly key: string;
  readonly merging: TokenMerging | undefined;
}

export const keepAll: VisualPolicy = { key: 'all', merging: undefined };

export function visualPolicy(merging: EfficiencyPlan['tokenMerging']): VisualPolicy {
  if (merging === undefined || merging.keep === 1) return keepAll;
  const how = merging.reducer === 'grid_pool' ? 'pool' : `merge:${merging.order}`;
  return { key: `${how}:${merging.keep}`, merging };
}

/**
 * The policy for an image whose tiles have more tokens than the prompt would hold without merging, because padding
 * and too fine tiles are left out there: the keep ratio is that of the prompt, not of the tiles. Pooled tiles still
 * are grids, from which the same parts are left out.
 */
export function policyFor(policy: VisualPolicy, promptTokens: number, tileTokens: number): VisualPolicy {
  const { merging } = policy;
  if (merging === undefined || merging.reducer === 'grid_pool' || promptTokens >= tileTokens) return policy;
  return visualPolicy({ ...merging, keep: (merging.keep * promptTokens) / tileTokens });
}

/**
 * What is left of each group, known before any of it is computed.
 * @throws {TrimtabError} unsupported_parameter for pooling tokens that are no grid
 */
export function reducedLayout(dense: GroupLayout, { merging }: VisualPolicy): GroupLayout {
  if (merging === undefined) return dense;
  if (merging.reducer !== 'grid_pool')
    return { tokens: mergedCount(dense.tokens, merging.keep), side: undefined };
  const side = pooledSide(requireGrid(dense), merging.keep);
  return { tokens: side * side, side };
}

/** Operations that `reduceVisualTokens` takes. */
export function reductionFlops(
  { groups, tokensPerGroup, width, metric }: VisualFeatures,
  { merging }: VisualPolicy,
): number {
  if (merging === undefined) return 0;
  if (merging.reducer === 'grid_pool') return groups * tokensPerGroup * width;
  const metricWidth = metric === undefined ? width : metric.length / (groups * tokensPerGroup);
  return groups * mergeFlops(tokensPerGroup, metricWidth, merging.keep);
}

/** All groups at once, with what became of each of their tokens. `dense` is the layout of the features. */
export function reduceGroups(
  features: VisualFeatures,
  dense: GroupLayout,
  { merging }: VisualPolicy,
): MergedFeatures {
  const { keep, order, reducer } = merging ?? { keep: 1, order: 'reference' };
  if (reducer !== 'grid_pool') return mergeGroups(features, keep, order);
  const side = requireGrid(dense);
  return poolGroups(features, side, pooledSide(side, keep));
}

/** Group by group, so that sequences which decode get their steps in between. */
export async function reduceVisualTokens(
  features: VisualFeatures,
  dense: GroupLayout,
  policy: VisualPolicy,
): Promise<VisualFeatures> {
  const { groups, width } = features;
  if (policy.merging === undefined) return features;
  const { tokens } = reducedLayout(dense, policy);
  const reduced = new Float32Array(groups * tokens * width);
  for (let group = 0; group < groups; group++) {
    reduced.set(reduceGroups(groupOf(features, group), dense, policy).features, group * tokens * width);
    await setImmediate();
  }
  return { groups, tokensPerGroup: tokens, width, features: reduced, metric: undefined };
}

function requireGrid({ side }: GroupLayout): number {
  if (side !== undefined) return side;
  const param = 'efficiency.token_merging.reducer';
  const problem = 'the class token of this model belongs to no grid, expected similarity';
  throw new TrimtabError('unsupported_parameter', `${param}: ${problem}`, { param });
}

function groupOf({ groups, features, metric, ...rest }: VisualFeatures, group: number): VisualFeatures {
  const part = (all: Float32Array) =>
    all.subarray((group * all.length) / groups, ((group + 1) * all.length) / groups);
  return { ...rest, groups: 1, features: part(features), metric: metric && part(metric) };
}
