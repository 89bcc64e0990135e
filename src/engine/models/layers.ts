/**
 * The parts of a decoder layer as graph code, shared by all families. Sizes in the drawings: b lanes, t new
 * tokens per lane, c capacity of the cache, h KV heads, g query heads per KV head, d width of a head.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { LayerTensorNames, ProjectionNames } from '../checkpoint/decoder-tensors.js';
import type { GraphBuilder } from '../graph/builder.js';
import type { Matrix, RowSlice } from '../graph/ir.js';

/** Names of the graph inputs that every layer reads. */
export const decoderInputs = {
  embeddings: 'inputs_embeds',
  mask: 'attention_mask',
  positions: 'positions',
  ropeCos: 'rope_cos',
  ropeSin: 'rope_sin',
  headSplit: 'head_split',
  keySplit: 'key_split',
  logitRows: 'logit_rows',
} as const;

export const pastNames = (layer: number) => ({ key: `past.${layer}.key`, value: `past.${layer}.value` });
export const newNames = (layer: number) => ({ key: `new.${layer}.key`, value: `new.${layer}.value` });

/**
 * `step` graphs run one or a few tokens of many lanes against a large cache, `prompt` graphs many tokens of one
 * lane: what is cheap to copy differs.
 */
export type Phase = 'step' | 'prompt';

export interface LayerContext {
  readonly graph: GraphBuilder;
  readonly config: DecoderConfig;
  readonly names: LayerTensorNames;
  readonly layer: number;
  /** `layers.<i>` */
  readonly path: string;
  readonly phase: Phase;
}

/** One matrix from several projections of the same input, their rows one after another. */
export function stacked(
  parts: readonly { projection: ProjectionNames; first: number; count: number }[],
  columns: number,
): Matrix {
  const slices = (pick: (names: ProjectionNames) => string | undefined): RowSlice[] =>
    parts.flatMap(({ projection, first, count }) => {
      const tensor = pick(projection);
      return tensor === undefined ? [] : [{ tensor, first, count }];
    });
  const bias = slices((names) => names.bias);
  const rows = parts.reduce((sum, part) => sum + part.count, 0);
  return {
    rows,
    columns,
    slices: slices((names) => names.weight),
    bias: bias.length === 0 ? undefined : bias,
  };
}

/**
 * Rows of the fused projection, grouped by KV head: its g query heads, its key, its value. One reshape and one
 * transpose then give queries, keys and values side by side, and one rotary node serves them all.
 */
export function attentionRows(
  { heads, kvHeads, headDim, hiddenSize }: DecoderConfig,
  names: LayerTensorNames,
): Matrix {
  const group = heads / kvHeads;
  const parts = Array.from({ length: kvHeads }, (_, head) => [
    { projection: names.q, first: head * group * headDim, count: group * headDim },
    { projection: names.k, first: head * headDim, count: headDim },
    { projection: names.v, first: head * headDim, count: headDim },
  ]);
  return stacked(parts.flat(), hiddenSize);
}

/**
 *   x [b, t, width] ── qkv ── [b, t, h, g+2, d] ── [b, h, (g+2)·t, d] ── rotary ── q [b, h, g·t, d]
 *                                                                              ├─ k [b, h, t, d] ── out
 *                                                                              └─ v [b, h, t, d] ── out
 *   q, k, v, past ── attention ── [b, h, g·t, d] ── [b, t, h·g·d] ── output projection
 *
 * The positions of values select a row of the rotary tables with cos 1 and sin 0, which leaves them as they are.
 */
export function groupedQueryAttention(
  context: LayerContext,
  x: string,
  prepareHeads: (context: LayerContext, heads: string) => string = (_, heads) => heads,
): string {
  const { graph, config, names, path } = context;
  const qkv = graph.linear(`${path}/qkv`, x, attentionRows(config, names));
  const grouped = graph.reshape(`${path}/attention/grouped`, qkv, 'shape/grouped');
  const byHead = graph.transpose(`${path}/attention/by_head`, grouped, [0, 2, 3, 1, 4]);
  const flat = graph.reshape(`${path}/attention/flat`, byHead, 'shape/flat');
  const mixed = attend(context, rotated(context, prepareHeads(context, flat)));
  const regrouped = graph.reshape(`${path}/attention/regrouped`, mixed, 'shape/regrouped');
  const byToken = graph.transpose(`${path}/attention/by_token`, regrouped, [0, 3, 1, 2, 4]);
  const merged = graph.reshape(`${path}/attention/merged`, byToken, 'shape/merged');
  return graph.linear(
    `${path}/attention_out`,
    merged,
    wholeMatrix(names.o, config.hiddenSize, config.heads * config.headDim),
  );
}

interface HeadRows {
  readonly query: string;
  readonly key: string;
  readonly value: string;
}

/** Rotates queries and keys; keys and values leave the graph, for the cache. */
function rotated(context: LayerContext, heads: string): HeadRows {
  const { graph, config, layer, path } = context;
  const { key, value } = newNames(layer);
  const outputs = [`${path}/attention/query`, key, value];
  const positions = decoderInputs.positions;
  const rotate = (name: string, rows: string) =>
    graph.rotaryEmbedding(name, rows, positions, decoderInputs.ropeCos, decoderInputs.ropeSin);
  graph.split(outputs, rotate(`${path}/attention/rotated`, heads), decoderInputs.headSplit, 2);
  graph.output(key, 'float32', ['lanes', config.kvHeads, 'rows', config.headDim]);
  graph.output(value, 'float32', ['lanes', config.kvHeads, 'rows', config.headDim]);
  return { query: outputs[0]!, key, value };
}

/**
 * Normalises each head of queries and keys, before the rotary embedding.
 *
 *   [b, h, (g+2)·t, d] ── split ┬ q ── norm ┐
 *                               ├ k ── norm ┼ concat
 *                               └ v ────────┘
 */
export function normalizedHeads({ graph, config, names, path }: LayerContext, flat: string): string {
  const raw = ['query', 'key', 'value'].map((part) => `${path}/attention/raw_${part}`);
  graph.split(raw, flat, decoderInputs.headSplit, 2);
  const norm = (part: string, x: string, tensor: string) => {
    const weight = graph.vector(`${path}/attention/${part}_norm.weight`, tensor, config.headDim);
    return graph.rmsNorm(`${path}/attention/${part}_norm`, x, weight, config.rmsNormEps);
  };
  const query = norm('query', raw[0]!, names.qNorm!);
  const key = norm('key', raw[1]!, names.kNorm!);
  return graph.concat(`${path}/attention/normed`, [query, key, raw[2]!], 2);
}

interface Attended extends HeadRows {
  readonly pastKey: string;
  readonly pastValue: string;
}

/** Attention over the cache and the new rows, `[b, h, g·t, d]`. */
function attend(context: LayerContext, rows: HeadRows): string {
  const { graph, config, layer, phase } = context;
  const past = pastNames(layer);
  const shape = ['lanes', config.kvHeads, 'capacity', config.headDim];
  graph.input(past.key, 'float32', shape);
  graph.input(past.value, 'float32', shape);
  const all = { ...rows, pastKey: past.key, pastValue: past.value };
  return phase === 'prompt' ? attendJoined(context, all) : attendApart(context, all);
}

/**
 * Never copies the cache, which is read where it lies; the scores, small for few tokens, are copied instead.
 *
 *   q·pastᵀ ┐
 *   q·kᵀ    ┴ concat ── + mask ── softmax ── split ┬ ·past values ┐
 *                                                  └ ·v           ┴ add
 */
function attendApart({ graph, config, path }: LayerContext, rows: Attended): string {
  const scale = config.headDim ** -0.5;
  const onPast = graph.matmulTransposed(`${path}/attention/past_scores`, rows.query, rows.pastKey, scale);
  const onNew = graph.matmulTransposed(`${path}/attention/new_scores`, rows.query, rows.key, scale);
  const scores = graph.concat(`${path}/attention/scores`, [onPast, onNew], -1);
  const masked = graph.add(`${path}/attention/masked`, scores, 'mask/grouped');
  const weights = graph.softmax(`${path}/attention/weights`, masked);
  const parts = [`${path}/attention/past_weights`, `${path}/attention/new_weights`];
  const [pastWeights, newWeights] = graph.split(parts, weights, decoderInputs.keySplit, -1);
  const fromPast = graph.matmul(`${path}/attention/from_past`, pastWeights!, rows.pastValue);
  const fromNew = graph.matmul(`${path}/attention/from_new`, newWeights!, rows.value);
  return graph.add(`${path}/attention/mixed`, fromPast, fromNew);
}

/**
 * Copies keys and values together, which for many tokens is less than their scores.
 *
 *   past keys, k ── concat ┐                              past values, v ── concat ┐
 *   q ─────────────────────┴ q·kᵀ ── + mask ── softmax ────────────────────────────┴ ·v
 */
function attendJoined({ graph, config, path }: LayerContext, rows: Attended): string {
  const keys = graph.concat(`${path}/attention/keys`, [rows.pastKey, rows.key], 2);
  const values = graph.concat(`${path}/attention/values`, [rows.pastValue, rows.value], 2);
  const scores = graph.matmulTransposed(`${path}/attention/scores`, rows.query, keys, config.headDim ** -0.5);
  const masked = graph.add(`${path}/attention/masked`, scores, 'mask/grouped');
  const weights = graph.softmax(`${path}/attention/weights`, masked);
  return graph.matmul(`${path}/attention/mixed`, weights, values);
}

/**
 *   x ── gate_up ── split ┬ gate ── silu ┐
 *                         └ up ──────────┴ multiply ── down
 */
export function gatedMlp({ graph, config, names, path }: LayerContext, x: string): string {
  const { hiddenSize, intermediateSize } = config;
  const whole = (projection: ProjectionNames) => ({ projection, first: 0, count: intermediateSize });
  const both = graph.linear(`${path}/gate_up`, x, stacked([whole(names.gate), whole(names.up)], hiddenSize));
  const [gate, up] = graph.split([`${path}/mlp/gate`, `${path}/mlp/up`], both, 'split/gate_up', -1);
  const activated = graph.multiply(`${path}/mlp/activated`, graph.silu(`${path}/mlp/silu`, gate!), up!);
  return graph.linear(`${path}/down`, activated, wholeMatrix(names.down, hiddenSize, intermediateSize));
}

export function wholeMatrix(projection: ProjectionNames, rows: number, columns: number): Matrix {
  return stacked([{ projection, first: 0, count: rows }], columns);
}
