/** Attention over the cache and the new rows. Sizes: see `layer-context.ts`. */

import type { Dim } from '../graph/ir.js';
import { decoderInputs, pastNames } from './decoder-ports.js';
import type { HeadRows, LayerContext } from './layer-context.js';
import { splitsHeads } from './phase.js';

interface CachedRows extends HeadRows {
  readonly pastKey: string;
  readonly pastValue: string;
}

/** What the new rows take from all that they see: `[b, h, g·t, d]`, in steps `[n, r, s, d]`. */
export function attend(context: LayerContext, rows: HeadRows): string {
  const { graph, config, layer, phase } = context;
  const past = pastNames(layer);
  const shape = [...headDims(context), context.rows.dims.capacity, config.headDim];
  graph.input(past.key, 'float32', shape);
  graph.input(past.value, 'float32', shape);
  const all = { ...rows, pastKey: past.key, pastValue: past.value };
  return phase === 'prompt' ? attendJoined(context, all) : attendApart(context, all);
}

/** The first axes of everything that belongs to KV heads. */
const headDims = ({ phase, config }: LayerContext): readonly Dim[] =>
  splitsHeads(phase) ? ['sequences', 1] : ['lanes', config.kvHeads];

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
