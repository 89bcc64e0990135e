/** From rows to heads, turned for their positions, and back. Sizes: see `layer-context.ts`. */

import { decoderInputs, newNames } from './decoder-ports.js';
import type { HeadRows, LayerContext } from './layer-context.js';
import { isStep, type Phase } from './phase.js';

/** `[b, t, h·(g+2)·d]` to `[b, h, (g+2)·t, d]` */
export function byHead({ graph, path, phase }: LayerContext, qkv: string): string {
  const grouped = graph.reshape(`${path}/attention/grouped`, qkv, 'shape/grouped');
  const transposed = graph.transpose(`${path}/attention/by_head`, grouped, [0, 2, 3, 1, 4]);
  return graph.reshape(`${path}/attention/flat`, transposed, flatShape(phase));
}

/**
 * Normalises each head of queries and keys, before the rotary embedding.
 *
 *   [b, h, (g+2)·t, d] ── split ┬ q ── norm ┐
 *                               ├ k ── norm ┼ concat
 *                               └ v ────────┘
 */
export function normalizedHeads({ graph, config, names, path, rows }: LayerContext, flat: string): string {
  const raw = ['query', 'key', 'value'].map((part) => `${path}/attention/raw_${part}`);
  graph.split(raw, flat, rows.headSplit, 2);
  const norm = (part: string, x: string, tensor: string) => {
    const weight = graph.vector(`${path}/attention/${part}_norm.weight`, tensor, config.headDim);
    return graph.rmsNorm(`${path}/attention/${part}_norm`, x, weight, config.rmsNormEps);
  };
  const query = norm('query', raw[0]!, names.qNorm!);
  const key = norm('key', raw[1]!, names.kNorm!);
  return graph.concat(`${path}/attention/normed`, [query, key, raw[2]!], 2);
}

/** Rotates queries and keys; keys and values leave the graph later on, for the cache. */
export function rotated(
  { graph, layer, path, phase, rows: entering }: LayerContext,
  heads: string,
): HeadRows {
  const { key, value } =
    phase === 'pruning'
      ? { key: `${path}/attention/key`, value: `${path}/attention/value` }
      : newNames(layer);
  const outputs = [`${path}/attention/query`, key, value];
  const { ropeCos, ropeSin } = decoderInputs;
  const turned = graph.rotaryEmbedding(
    `${path}/attention/rotated`,
    heads,
    entering.positions,
    ropeCos,
    ropeSin,
  );
  graph.split(outputs, turned, entering.headSplit, 2);
  return { query: outputs[0]!, key, value };
}

/** `[b, h, g·t, d]` to `[b, t, H·d]` */
export function byToken({ graph, path, phase }: LayerContext, mixed: string): string {
  const regrouped = graph.reshape(`${path}/attention/regrouped`, mixed, regroupedShape(phase));
  const transposed = graph.transpose(`${path}/attention/by_token`, regrouped, [0, 3, 1, 2, 4]);
  return graph.reshape(`${path}/attention/merged`, transposed, 'shape/merged');
}

const flatShape = (phase: Phase): string => (isStep(phase) ? decoderInputs.flatShape : 'shape/flat');
const regroupedShape = (phase: Phase): string =>
  isStep(phase) ? decoderInputs.regroupedShape : 'shape/regrouped';
