/** The masks of a step for lanes whose layers hold different tokens. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { depthAt } from '../kv-cache/depth.js';
import type { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import { raggedInputs } from '../models/ragged-rows.js';
import type { Feeds, Tensor } from './ort-session.js';
import { floats, integers } from './ort-session.js';
import { queryDivision, type RowPlaces, visibilityMask } from './step-inputs.js';

/** Layers that hold equally many rows of every lane share their tensors. */
export function raggedFeeds(
  cache: SlabLaneCache,
  { layers, heads, kvHeads }: DecoderConfig,
  firstLane: number,
  lanes: number,
  places: RowPlaces,
): Feeds {
  const feeds: Record<string, Tensor> = {};
  const known = new Map<string, { mask: Tensor; keySplit: Tensor }>();
  const rows = places.parents.length / lanes;
  for (let layer = 0; layer < layers; layer++) {
    const lengths = Array.from({ length: lanes }, (_, i) => cache.rows(firstLane + i, layer));
    const capacity = depthAt(cache.depth, layer);
    const key = `${capacity}:${lengths}`;
    const tensors = known.get(key) ?? {
      mask: groupedMask(lengths, places, capacity, heads, kvHeads),
      keySplit: integers(BigInt64Array.of(BigInt(capacity), BigInt(rows))),
    };
    known.set(key, tensors);
    const names = raggedInputs(layer);
    feeds[names.mask] = tensors.mask;
    feeds[names.keySplit] = tensors.keySplit;
  }
  return feeds;
}

/** `[n, r, s, c + t]`: the rows of each lane once for every query head. */
function groupedMask(
  lengths: readonly number[],
  places: RowPlaces,
  capacity: number,
  heads: number,
  kvHeads: number,
): Tensor {
  const lanes = lengths.length;
  const rows = places.parents.length / lanes;
  const width = capacity + rows;
  const plain = new Float32Array(lanes * rows * width);
  visibilityMask(lengths, places, capacity, plain);
  const grouped = new Float32Array(heads * plain.length);
  for (let i = 0; i < lanes * heads; i++) {
    const lane = Math.floor(i / heads);
    grouped.set(plain.subarray(lane * rows * width, (lane + 1) * rows * width), i * rows * width);
  }
  return floats(grouped, [lanes * kvHeads, ...queryDivision((heads / kvHeads) * rows), width]);
}
