/**
 * Prompt graphs that drop visual tokens between attention and MLP of some layers (AIM, arXiv 2412.03248, section
 * 3.2). Which layers, and how many tokens stay, are inputs, so one graph serves every schedule. Rows that are
 * dropped after a layer need neither its output projection nor its MLP, hence the place.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { GraphBuilder } from '../graph/builder.js';
import type { Port } from '../graph/ir.js';
import type { LayerRows, MixedRows } from './layers.js';
import { decoderInputs, pastNames } from './layers.js';
import { declarePageRank, pageRank } from './page-rank.js';

export const pruningInputs = {
  /** `[t]`: 0 to t − 1. */
  rows: 'chunk_rows',
  /** `[t]`: above 1 for rows that always stay, 0 for the others. */
  protection: 'protection',
  /** `[1]` bool: some rows are dropped in this layer. */
  drops: (layer: number) => `drops.${layer}`,
  /** `[1]` bool: they are chosen by importance; otherwise just the protected ones stay. */
  ranks: (layer: number) => `ranks.${layer}`,
  /** `[1]`: rows that stay. */
  stay: (layer: number) => `stay.${layer}`,
} as const;

/** Output: the rows of the chunk, in order, that enter a layer; layer 0 takes all. */
export const enteringName = (layer: number): string => `entering.${layer}`;

export class PrunedRows {
  readonly #graph: GraphBuilder;
  readonly #config: DecoderConfig;

  constructor(graph: GraphBuilder, config: DecoderConfig) {
    this.#graph = graph;
    this.#config = config;
    const { layers, heads, kvHeads } = config;
    const group = heads / kvHeads;
    graph.input(pruningInputs.rows, 'int64', ['rows']);
    graph.input(pruningInputs.protection, 'float32', ['rows']);
    for (let layer = 0; layer < layers - 1; layer++) {
      graph.input(pruningInputs.drops(layer), 'bool', [1]);
      graph.input(pruningInputs.ranks(layer), 'bool', [1]);
      graph.input(pruningInputs.stay(layer), 'int64', [1]);
    }
    declarePageRank(graph);
    graph.constant('shape/by_query_head', [0, heads, -1, 0]);
    graph.constant('shape/by_kv_head', [0, kvHeads, -1, 0]);
    graph.constant('shape/by_row', [0, group + 2, -1]);
    graph.constant('shape/flat_positions', [0, -1]);
    graph.constant('head_rows', [group, 1, 1]);
    graph.constant('origin', [0, 0]);
    graph.constant('axis/queries_keys', [2, 3]);
    graph.shape('past_length', pastNames(0).key, 2, 3);
    graph.reshape('positions/by_row', decoderInputs.positions, 'shape/by_row');
  }

  /**
   * Rows stay in order, so their mask is the upper left corner of the one of all rows.
   *
   *   entering [n] ─┬─ positions/by_row[:, :, entering] ── positions [1, (g+2)·n]
   *                 ├─ n · (g, 1, 1) ── sizes of queries, keys and values
   *                 └─ mask[:n, :c+n]
   */
  entering(layer: number): LayerRows {
    const graph = this.#graph;
    const path = `layers.${layer}/rows`;
    const entering = layer === 0 ? pruningInputs.rows : enteringName(layer);
    const count = graph.shape(`${path}/count`, entering, 0, 1);
    const total = graph.add(`${path}/total`, count, 'past_length');
    const corner = graph.concat(`${path}/corner`, [count, total], 0);
    const positions = graph.gather(`${path}/positions_by_row`, 'positions/by_row', entering, 2);
    return {
      mask: graph.slice(`${path}/mask`, decoderInputs.mask, 'origin', corner, 'axis/queries_keys'),
      positions: graph.reshape(`${path}/positions`, positions, 'shape/flat_positions'),
      headSplit: graph.multiply(`${path}/head_split`, count, 'head_rows'),
      keySplit: decoderInputs.keySplit,
      dims: { rows: `rows_${layer}`, capacity: 'capacity' },
      select: (scores, rows) => this.#select(layer, entering, scores, rows),
    };
  }

  /**
   *   drops? ┬ yes: importance ── top `stay` ── sorted ── mixed, residual and entering at those rows
   *          └ no:  all of them
   */
  #select(layer: number, entering: string, scores: string, { mixed, residual }: MixedRows): MixedRows {
    const graph = this.#graph;
    const { layers, heads, headDim, hiddenSize } = this.#config;
    if (layer === layers - 1) return { mixed, residual };
    const path = `layers.${layer}/pruned`;
    const dim = `rows_${layer + 1}`;
    const ports: Port[] = [
      { name: `${path}/mixed`, dtype: 'float32', shape: [1, dim, heads * headDim] },
      { name: `${path}/residual`, dtype: 'float32', shape: [1, dim, hiddenSize] },
      { name: enteringName(layer + 1), dtype: 'int64', shape: [dim] },
    ];
    const values = [mixed, residual, entering];
    graph.choose(
      pruningInputs.drops(layer),
      ports,
      () => {
        const stay = this.#staying(layer, path, entering, scores);
        return values.map((value, i) => graph.gather(`${ports[i]!.name}/kept`, value, stay, i === 2 ? 0 : 1));
      },
      () => values.map((value, i) => graph.identity(`${ports[i]!.name}/all`, value)),
    );
    graph.output(ports[2]!.name, 'int64', [dim]);
    return { mixed: ports[0]!.name, residual: ports[1]!.name };
  }

  /** Places, among the rows that entered, of those that stay, in order. */
  #staying(layer: number, path: string, entering: string, scores: string): string {
    const graph = this.#graph;
    const protection = graph.gather(`${path}/protection`, pruningInputs.protection, entering, 0);
    const worth: Port = { name: `${path}/worth`, dtype: 'float32', shape: [`rows_${layer}`] };
    graph.choose(
      pruningInputs.ranks(layer),
      [worth],
      () => [graph.add(`${worth.name}/ranked`, pageRank(graph, path, scores, 'past_length'), protection)],
      () => [graph.identity(`${worth.name}/given`, protection)],
    );
    const stay = pruningInputs.stay(layer);
    const { places } = graph.topK(`${path}/best`, worth.name, stay, 'largest');
    return graph.topK(`${path}/sorted`, places, stay, 'ascending').values;
  }
}
