/** Merges the tokens of every group until a share of them is left (AIM, arXiv 2412.03248, section 3.1). */

import type { VisualFeatures } from '../vision/visual-features.js';
import { mergeStepFlops } from './flops.js';
import type { Rows } from './merge-step.js';
import { averageByPlace, matchTokens, outputPlaces } from './merge-step.js';

/**
 * `reference` is the order in which the method leaves the tokens: those that were not merged first. `raster` sorts
 * them by their places in the image. Both hold the same tokens.
 */
export type MergeOrder = 'reference' | 'raster';

export interface MergedFeatures extends VisualFeatures {
  /** `[groups, tokens before merging]`: the token, counted inside its group, that each one became part of. */
  readonly memberOf: Int32Array;
}

/** Tokens that are left of `tokens` for a keep ratio in (0, 1]. */
export function mergedCount(tokens: number, keep: number): number {
  return Math.ceil(tokens * keep);
}

/** How many tokens each step takes away: half of them at most, until the target is met. */
export function mergeSteps(tokens: number, keep: number): number[] {
  const target = mergedCount(tokens, keep);
  const steps: number[] = [];
  for (let left = tokens; left > target; left -= steps.at(-1)!) {
    steps.push(Math.min(left - target, Math.floor(left / 2)));
  }
  return steps;
}

/** Operations of merging one group whose similarity is measured on vectors of `width`. */
export function mergeFlops(tokens: number, width: number, keep: number): number {
  let [flops, left] = [0, tokens];
  for (const r of mergeSteps(tokens, keep)) {
    flops += mergeStepFlops(left, width);
    left -= r;
  }
  return flops;
}

/** `keep` of the tokens of every group, merged, never dropped; 1 returns the features as they are. */
export function mergeGroups(visual: VisualFeatures, keep: number, order: MergeOrder): MergedFeatures {
  const { groups, tokensPerGroup, width } = visual;
  if (keep === 1) return { ...visual, memberOf: repeatedRange(groups, tokensPerGroup) };
  const left = mergedCount(tokensPerGroup, keep);
  const features = new Float32Array(groups * left * width);
  const memberOf = new Int32Array(groups * tokensPerGroup);
  for (let group = 0; group < groups; group++) {
    const merged = mergeGroup(visual, group, keep);
    const places = order === 'raster' ? rasterPlaces(merged.survivors) : range(left);
    for (let token = 0; token < left; token++) {
      const row = merged.features.subarray(token * width, (token + 1) * width);
      features.set(row, (group * left + places[token]!) * width);
    }
    merged.memberOf.forEach((token, i) => {
      memberOf[group * tokensPerGroup + i] = places[token]!;
    });
  }
  return { groups, tokensPerGroup: left, width, features, metric: undefined, memberOf };
}

interface MergedGroup {
  readonly features: Float32Array;
  readonly memberOf: Int32Array;
  /** The original place of the token that each output continues. */
  readonly survivors: Int32Array;
}

/** A metric of its own is merged by the same matches; otherwise the merged tokens are the next metric. */
function mergeGroup(visual: VisualFeatures, group: number, keep: number): MergedGroup {
  const { tokensPerGroup, features, metric } = visual;
  let rows = groupRows(features, visual, group);
  let metricRows = metric === undefined ? undefined : groupRows(metric, visual, group);
  let memberOf = range(tokensPerGroup);
  let survivors = range(tokensPerGroup);
  for (const r of mergeSteps(tokensPerGroup, keep)) {
    const matching = matchTokens(metricRows ?? rows, r);
    const places = outputPlaces(matching, rows.rows);
    const left = rows.rows - r;
    survivors = nextSurvivors(survivors, matching.left, left);
    memberOf = memberOf.map((token) => places[token]!);
    rows = averageByPlace(rows, places, left);
    if (metricRows !== undefined) metricRows = averageByPlace(metricRows, places, left);
  }
  return { features: rows.data, memberOf, survivors };
}

function nextSurvivors(survivors: Int32Array, leftSources: Int32Array, left: number): Int32Array {
  return Int32Array.from({ length: left }, (_, place) => {
    const source = leftSources[place];
    return survivors[source === undefined ? 2 * (place - leftSources.length) + 1 : 2 * source]!;
  });
}

function groupRows(data: Float32Array, { groups, tokensPerGroup }: VisualFeatures, group: number): Rows {
  const size = data.length / groups;
  return {
    rows: tokensPerGroup,
    width: size / tokensPerGroup,
    data: data.subarray(group * size, (group + 1) * size),
  };
}

/** For each token the rank of its survivor. */
function rasterPlaces(survivors: Int32Array): Int32Array {
  const places = new Int32Array(survivors.length);
  range(survivors.length)
    .sort((a, b) => survivors[a]! - survivors[b]!)
    .forEach((token, place) => {
      places[token] = place;
    });
  return places;
}

const range = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => i);

const repeatedRange = (times: number, length: number): Int32Array =>
  Int32Array.from({ length: times * length }, (_, i) => i % length);
