/**
 * The parts of a decoder layer as graph code, shared by all families. Sizes in the drawings: b lanes, t new
 * tokens per lane, c capacity of the cache, h KV heads, g query heads per KV head, d width of a head; n = b·h in
 * graphs that see every KV head of every lane as a sequence of its own, all but those of prompts.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { LayerTensorNames, ProjectionNames } from '../checkpoint/decoder-tensors.js';
import type { GraphBuilder } from '../graph/builder.js';
import type { Dim, Matrix, RowSlice } from '../graph/ir.js';

/** Names of the graph inputs that every layer reads. */
export const decoderInputs = {
  embeddings: 'inputs_embeds',
  mask: 'attention_mask',
  positions: 'positions',
  ropeCos: 'rope_cos',
  ropeSin: 'rope_sin',
  headSplit: 'head_split',
  keySplit: 'key_split',
  flatShape: 'flat_shape',
  queryShape: 'query_shape',
  maskShape: 'mask_shape',
  regroupedShape: 'regrouped_shape',
  logitRows: 'logit_rows',
} as const;

export const pastNames = (layer: number) => ({ key: `past.${layer}.key`, value: `past.${layer}.value` });
export const newNames = (layer: number) => ({ key: `new.${layer}.key`, value: `new.${layer}.value` });
/** Those of all layers as one output, since each output costs the binding some microseconds; not while pruning. */
export const allNew = 'new';

/**
 * `step` graphs run one or a few tokens of many lanes against a large cache, `prompt` graphs many tokens of one
 * lane: what is cheap to copy differs. `pruning` graphs run prompts that drop tokens between layers, and `ragged`
 * graphs are step graphs for lanes whose layers therefore hold different tokens.
 */
export type Phase = 'step' | 'prompt' | 'pruning' | 'ragged';
export const phases: readonly Phase[] = ['step', 'prompt', 'pruning', 'ragged'];

/** What a layer reads about the rows that enter it; by default the same for all layers. */
export interface LayerRows {
  /** Added to the scores; `[b, 1, g·t, c + t]`, in steps `[n, r, s, c + t]`. */
  readonly mask: string;
  readonly positions: string;
  readonly headSplit: string;
  readonly keySplit: string;
  /** The names of the sizes that may differ from layer to layer. */
  readonly dims: { readonly rows: string; readonly capacity: string };
}

/** Rows between the projection to heads and attention, and their residual stream. */
export interface ProjectedRows {
  /** `[b, t, h·(g+2)·d]` */
  readonly qkv: string;
  /** `[b, t, width]` */
  readonly residual: string;
}

/** Rows between attention and its output projection. */
export interface MixedRows {
  /** `[b, t, H·d]` */
  readonly mixed: string;
  /** `[b, t, width]` */
  readonly residual: string;
}

/** Attention that lets rows come and go, in the place of the usual one. */
export interface PrunedLayer {
  attend(rows: ProjectedRows, turn: (qkv: string, rows: LayerRows) => HeadRows): MixedRows;
}

export const commonRows: LayerRows = {
  mask: 'mask/grouped',
  positions: decoderInputs.positions,
  headSplit: decoderInputs.headSplit,
  keySplit: decoderInputs.keySplit,
  dims: { rows: 'rows', capacity: 'capacity' },
};

export const isStep = (phase: Phase): boolean => phase === 'step' || phase === 'ragged';
/** Whether every KV head of every lane is a sequence of its own. */
export const splitsHeads = (phase: Phase): boolean => phase !== 'prompt';

/** The input of a layer. */
export interface Stream {
  readonly normed: string;
  readonly residual: string;
}

/** What attention adds to the residual stream, and that stream: fewer rows than entered, if some were dropped. */
export interface Attended {
  readonly output: string;
  readonly residual: string;
}

export interface LayerContext {
  readonly graph: GraphBuilder;
  readonly config: DecoderConfig;
  readonly names: LayerTensorNames;
  readonly layer: number;
  /** `layers.<i>` */
  readonly path: string;
  readonly phase: Phase;
  readonly rows: LayerRows;
  /** Only while pruning. */
  readonly pruned: PrunedLayer | undefined;
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
 * Where heads are sequences, `[b, h, …]` is `[n, 1, …]` instead, which is the same memory.
 *
 * The positions of values select a row of the rotary tables with cos 1 and sin 0, which leaves them as they are.
 */
export function groupedQueryAttention(
  context: LayerContext,
  { normed, residual }: Stream,
  prepareHeads: (context: LayerContext, heads: string) => string = (_, heads) => heads,
): Attended {
  const { graph, config, names, path, rows, pruned } = context;
  const qkv = graph.linear(`${path}/qkv`, normed, attentionRows(config, names));
  const turn = (projected: string, entering: LayerRows): HeadRows => {
    const turned = { ...context, rows: entering };
    return rotated(turned, prepareHeads(turned, byHead(turned, projected)));
  };
  const left = pruned?.attend({ qkv, residual }, turn) ?? {
    mixed: byToken(context, attend(context, turn(qkv, rows))),
    residual,
  };
  const projection = wholeMatrix(names.o, config.hiddenSize, config.heads * config.headDim);
  return {
    output: graph.linear(`${path}/attention_out`, left.mixed, projection),
    residual: left.residual,
  };
}

function byHead({ graph, path, phase }: LayerContext, qkv: string): string {
  const grouped = graph.reshape(`${path}/attention/grouped`, qkv, 'shape/grouped');
  const transposed = graph.transpose(`${path}/attention/by_head`, grouped, [0, 2, 3, 1, 4]);
  return graph.reshape(`${path}/attention/flat`, transposed, flatShape(phase));
}

function byToken({ graph, path, phase }: LayerContext, mixed: string): string {
  const regrouped = graph.reshape(`${path}/attention/regrouped`, mixed, regroupedShape(phase));
  const transposed = graph.transpose(`${path}/attention/by_token`, regrouped, [0, 3, 1, 2, 4]);
  return graph.reshape(`${path}/attention/merged`, transposed, 'shape/merged');
}

const flatShape = (phase: Phase): string => (isStep(phase) ? decoderInputs.flatShape : 'shape/flat');
const regroupedShape = (phase: Phase): string =>
  isStep(phase) ? decoderInputs.regroupedShape : 'shape/regrouped';

/** The first axes of everything that belongs to KV heads. */
const headDims = ({ phase, config }: LayerContext): readonly Dim[] =>
  splitsHeads(phase) ? ['sequences', 1] : ['lanes', config.kvHeads];

export interface HeadRows {
  readonly query: string;
  readonly key: string;
  readonly value: string;
}

/** Rotates queries and keys; keys and values leave the graph later on, for the cache. */
function rotated({ graph, layer, path, phase, rows: entering }: LayerContext, heads: string): HeadRows {
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

interface CachedRows extends HeadRows {
  readonly pastKey: string;
  readonly pastValue: string;
}

/** Attention over the cache and the new rows: `[b, h, g·t, d]`, in steps `[n, r, s, d]`. */
function attend(context: LayerContext, rows: HeadRows): string {
  const { graph, config, layer, phase } = context;
  const past = pastNames(layer);
  const shape = [...headDims(context), context.rows.dims.capacity, config.headDim];
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
 *
 * The step says how the g·t query rows of a sequence become `[r, s]`. With s = 1 every row is a vector times the
 * cache, for which the kernels repack nothing; with r = 1 the rows share what is repacked. Positions choose rows
 * of the rotary tables that scale queries by d^-½, since those kernels want a product without a factor.
 */
function attendApart({ graph, path, rows: entering }: LayerContext, rows: CachedRows): string {
  const query = graph.reshape(`${path}/attention/query_rows`, rows.query, decoderInputs.queryShape);
  const onPast = graph.matmulTransposed(`${path}/attention/past_scores`, query, rows.pastKey);
  const onNew = graph.matmulTransposed(`${path}/attention/new_scores`, query, rows.key);
  const scores = graph.concat(`${path}/attention/scores`, [onPast, onNew], -1);
  const masked = graph.add(`${path}/attention/masked`, scores, entering.mask);
  const weights = graph.softmax(`${path}/attention/weights`, masked);
  const parts = [`${path}/attention/past_weights`, `${path}/attention/new_weights`];
  const [pastWeights, newWeights] = graph.split(parts, weights, entering.keySplit, -1);
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
function attendJoined({ graph, config, path, rows: entering }: LayerContext, rows: CachedRows): string {
  const keys = graph.concat(`${path}/attention/keys`, [rows.pastKey, rows.key], 2);
  const values = graph.concat(`${path}/attention/values`, [rows.pastValue, rows.value], 2);
  const scores = graph.matmulTransposed(`${path}/attention/scores`, rows.query, keys, config.headDim ** -0.5);
  const masked = graph.add(`${path}/attention/masked`, scores, entering.mask);
  const weights = graph.softmax(`${path}/attention/weights`, masked);
  return graph.matmul(`${path}/attention/mixed`, weights, values);
}

/**
 *   x ── gate_up ── split ┬ gate ── silu ┐
 *                         └ up ──────────┴ multiply ── down
 */
export function gatedMlp({ graph, config, names, path }: LayerContext, x: string): string {
  const { hiddenSize, intermediateSize } = config;
  const both = graph.linear(`${path}/gate_up`, x, gateUpMatrix(config, names));
  const [gate, up] = graph.split([`${path}/mlp/gate`, `${path}/mlp/up`], both, 'split/gate_up', -1);
  const activated = graph.multiply(`${path}/mlp/activated`, graph.silu(`${path}/mlp/silu`, gate!), up!);
  return graph.linear(`${path}/down`, activated, wholeMatrix(names.down, hiddenSize, intermediateSize));
}

export function gateUpMatrix(
  { hiddenSize, intermediateSize }: DecoderConfig,
  { gate, up }: LayerTensorNames,
): Matrix {
  const whole = (projection: ProjectionNames) => ({ projection, first: 0, count: intermediateSize });
  return stacked([whole(gate), whole(up)], hiddenSize);
}

export function wholeMatrix(projection: ProjectionNames, rows: number, columns: number): Matrix {
  return stacked([{ projection, first: 0, count: rows }], columns);
}
