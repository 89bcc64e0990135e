/** Random low-rank adapters: as inputs of a graph, and merged into a checkpoint for comparison. */

import type { DecoderConfig } from '../../src/engine/checkpoint/decoder-config.js';
import type { LowRankSite } from '../../src/engine/graph/passes/low-rank.js';
import { gateName, lowRankSites, pairNames } from '../../src/engine/graph/passes/low-rank.js';
import type { Feeds, Tensor } from '../../src/engine/runner/ort-session.js';
import { floats } from '../../src/engine/runner/ort-session.js';
import type { PlainCheckpoint } from './plain-checkpoint.js';
import { withMatrices } from './plain-checkpoint.js';
import { seededFloats } from './seeded.js';

/** One pair per layer and site, of the same rank everywhere. */
export interface Adapter {
  readonly rank: number;
  /** `[columns, rank]` */
  a(layer: number, site: LowRankSite): Float32Array;
  /** `[rank, rows]` */
  b(layer: number, site: LowRankSite): Float32Array;
}

export function siteShape(config: DecoderConfig, site: LowRankSite): { rows: number; columns: number } {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = config;
  const shapes = {
    qkv: { rows: (heads + 2 * kvHeads) * headDim, columns: hiddenSize },
    attention_out: { rows: hiddenSize, columns: heads * headDim },
    gate_up: { rows: 2 * intermediateSize, columns: hiddenSize },
    down: { rows: hiddenSize, columns: intermediateSize },
  };
  return shapes[site];
}

export function randomAdapter(config: DecoderConfig, rank: number, seed: number): Adapter {
  const seedOf = (layer: number, site: LowRankSite) => 1000 * seed + 10 * layer + lowRankSites.indexOf(site);
  return {
    rank,
    a: (layer, site) => {
      const { columns } = siteShape(config, site);
      return seededFloats(seedOf(layer, site), columns * rank, columns ** -0.5);
    },
    b: (layer, site) => seededFloats(seedOf(layer, site) + 500, rank * siteShape(config, site).rows),
  };
}

/** The inputs of a low-rank graph; `gates[token][adapter]` is the scale of each adapter for each token. */
export function lowRankFeeds(
  config: DecoderConfig,
  adapters: readonly Adapter[],
  gates: readonly (readonly number[])[],
  lanes: number,
): Feeds {
  const feeds: Record<string, Tensor> = {};
  const rank = adapters.reduce((sum, adapter) => sum + adapter.rank, 0);
  const spread = gates.flatMap((row) =>
    row.flatMap((gate, i) => Array<number>(adapters[i]!.rank).fill(gate)),
  );
  for (const site of lowRankSites) {
    const { rows, columns } = siteShape(config, site);
    feeds[gateName(site)] = floats(Float32Array.from(spread), [lanes, gates.length / lanes, rank]);
    for (let layer = 0; layer < config.layers; layer++) {
      const names = pairNames(`layers.${layer}/${site}`);
      feeds[names.a] = floats(
        sideBySide(adapters, columns, (adapter) => adapter.a(layer, site)),
        [columns, rank],
      );
      const b = adapters.flatMap((adapter) => [...adapter.b(layer, site)]);
      feeds[names.b] = floats(Float32Array.from(b), [rank, rows]);
    }
  }
  return feeds;
}

function sideBySide(
  adapters: readonly Adapter[],
  rows: number,
  matrixOf: (adapter: Adapter) => Float32Array,
): Float32Array {
  const matrices = adapters.map((adapter) => ({ rank: adapter.rank, data: matrixOf(adapter) }));
  return Float32Array.from(
    Array.from({ length: rows }, (_, row) =>
      matrices.flatMap(({ rank, data }) => [...data.subarray(row * rank, (row + 1) * rank)]),
    ).flat(),
  );
}

/** `W + scale · (A · B)ᵀ` for every projection of every layer. */
export function merged(
  plain: PlainCheckpoint,
  config: DecoderConfig,
  adapter: Adapter,
  scale: number,
): PlainCheckpoint {
  return withMatrices(plain, (name, { shape, data }) => {
    const place = /layers\.(\d+)\.(?:self_attn|mlp)\.(\w+)_proj/.exec(name);
    if (place === null) return data;
    const [layer, part] = [Number(place[1]), place[2]!];
    const site = siteOf(part);
    const [a, b] = [adapter.a(layer, site), adapter.b(layer, site)];
    const columns = shape[1]!;
    const siteRows = siteShape(config, site).rows;
    return data.map((weight, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      let delta = 0;
      for (let r = 0; r < adapter.rank; r++) {
        delta += a[column * adapter.rank + r]! * b[r * siteRows + fusedRow(config, part, row)]!;
      }
      return weight + scale * delta;
    });
  });
}

function siteOf(part: string): LowRankSite {
  if (part === 'o') return 'attention_out';
  if (part === 'down') return 'down';
  return part === 'gate' || part === 'up' ? 'gate_up' : 'qkv';
}

/** Where a row of a projection lies in its fused matrix: queries of a KV group, then its key, then its value. */
function fusedRow(
  { heads, kvHeads, headDim, intermediateSize }: DecoderConfig,
  part: string,
  row: number,
): number {
  const group = heads / kvHeads;
  const head = Math.floor(row / headDim);
  const inHead = row % headDim;
  if (part === 'q') return (Math.floor(head / group) * (group + 2) + (head % group)) * headDim + inHead;
  if (part === 'k') return (head * (group + 2) + group) * headDim + inHead;
  if (part === 'v') return (head * (group + 2) + group + 1) * headDim + inHead;
  return part === 'up' ? intermediateSize + row : row;
}
