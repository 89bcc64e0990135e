/** Attention of prompts that drop tokens: head by head, so that the scores of one of them are all in memory. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { GraphBuilder } from '../graph/builder.js';
import type { Port } from '../graph/ir.js';
import { decoderInputs } from './decoder-ports.js';
import type { HeadRows } from './layer-context.js';
import { declarePageRank, pageRank } from './page-rank.js';

/** Names of the cached keys and values of a layer, `[h, 1, c, d]`. */
export interface PastRows {
  readonly key: string;
  readonly value: string;
}

/** What attention reads besides queries, keys and values. */
export interface AttendedRows {
  readonly past: PastRows;
  /** `[1]`: t. */
  readonly count: string;
  /** `[t]` */
  readonly protection: string;
  /** `[1]` bool: whether the layer ranks its rows. */
  readonly ranks: string;
}

/** Constants and masks that all layers share; to be declared once. */
export function declareByHead(graph: GraphBuilder, { heads, kvHeads, headDim }: DecoderConfig): void {
  declarePageRank(graph);
  const kvHeadOf = Array.from({ length: heads }, (_, head) => Math.floor((head * kvHeads) / heads));
  graph.constant('head/of_query', kvHeadOf);
  graph.constant('shape/by_query_head', [heads, -1, headDim]);
  graph.constant('shape/by_kv_head', [kvHeads, -1, headDim]);
  graph.constant('none', [0]);
  graph.constant('axis/first_second', [0, 1]);
  const columns = graph.shape('mask/columns', decoderInputs.mask, 1, 2);
  graph.subtract('mask/past', columns, graph.shape('mask/rows', decoderInputs.mask, 0, 1));
}

/**
 *   q [t, d], past keys and k of its KV head ── q·kᵀ ── + mask ─┬─ softmax ── ·v ── [t, d] ┐
 *                                                               └─ page rank ── [t]        ┴ for every head
 *
 * Returns `mixed [1, t, H·d]`, and what each head thinks of the rows, squared: `squares [H, t]`. Without ranks, what
 * is protected is all that counts.
 */
export function attendByHead(
  graph: GraphBuilder,
  { headDim }: DecoderConfig,
  layer: number,
  heads: HeadRows,
  rows: AttendedRows,
): { readonly mixed: string; readonly squares: string } {
  const path = `layers.${layer}/by_head`;
  const dim = `rows_${layer}`;
  const together = (name: string, cached: string, fresh: string): string => {
    const joined = graph.concat(`${path}/${name}_joined`, [cached, fresh], 2);
    return graph.reshape(`${path}/${name}`, joined, 'shape/by_kv_head');
  };
  const cached = graph.shape(`${path}/cached`, rows.past.key, 2, 3);
  const inputs: HeadInputs = {
    ...rows,
    keys: together('keys', rows.past.key, heads.key),
    values: together('values', rows.past.value, heads.value),
    mask: maskOf(graph, path, cached, rows.count),
    cached,
  };
  const query = graph.reshape(`${path}/queries`, heads.query, 'shape/by_query_head');
  const slices: Port[] = [
    { name: `${path}/query`, dtype: 'float32', shape: [dim, headDim] },
    { name: `${path}/kv_head`, dtype: 'int64', shape: [] },
  ];
  const ports: Port[] = [
    { name: `${path}/mixed`, dtype: 'float32', shape: [dim, headDim] },
    { name: `${path}/squares`, dtype: 'float32', shape: [dim] },
  ];
  graph.scan([query, 'head/of_query'], slices, ports, () => oneHead(graph, layer, slices, inputs));
  const byToken = graph.transpose(`${path}/by_token`, ports[0]!.name, [1, 0, 2]);
  return { mixed: graph.reshape(`${path}/merged`, byToken, 'shape/merged'), squares: ports[1]!.name };
}

interface HeadInputs extends Omit<AttendedRows, 'past' | 'count'> {
  /** `[h, c + t, d]` */
  readonly keys: string;
  readonly values: string;
  /** `[t, c + t]` */
  readonly mask: string;
  /** `[1]`: c. */
  readonly cached: string;
}

function oneHead(
  graph: GraphBuilder,
  layer: number,
  [query, kvHead]: readonly Port[],
  { keys, values, mask, cached, ranks, protection }: HeadInputs,
): string[] {
  const path = `layers.${layer}/head`;
  const key = graph.gather(`${path}/keys`, keys, kvHead!.name, 0);
  const value = graph.gather(`${path}/values`, values, kvHead!.name, 0);
  const scores = graph.matmulTransposed(`${path}/scores`, query!.name, key);
  const masked = graph.add(`${path}/masked`, scores, mask);
  const weights = graph.softmax(`${path}/weights`, masked);
  const squares: Port = { name: `${path}/squares`, dtype: 'float32', shape: [`rows_${layer}`] };
  graph.choose(
    ranks,
    [squares],
    () => [pageRank(graph, `${path}/rank`, masked, cached)],
    () => [graph.identity(`${path}/unranked`, protection)],
  );
  return [graph.matmul(`${path}/mixed`, weights, value), squares.name];
}

/**
 * Rows stay in order, so their mask is part of the one of all rows: its upper left corner, without columns of more
 * cached tokens than the layer has.
 */
function maskOf(graph: GraphBuilder, path: string, cached: string, count: string): string {
  const unused = graph.subtract(`${path}/mask_unused`, 'mask/past', cached);
  const total = graph.add(`${path}/mask_total`, 'mask/past', count);
  const from = graph.concat(`${path}/mask_from`, ['none', unused], 0);
  const to = graph.concat(`${path}/mask_to`, [count, total], 0);
  return graph.slice(`${path}/mask`, decoderInputs.mask, from, to, 'axis/first_second');
}
