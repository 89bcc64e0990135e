/**
 * Prompts that drop visual tokens between attention and output projection of some layers (AIM, arXiv 2412.03248,
 * section 3.2): rows that are dropped there need neither that projection nor the MLP. Which layers, and how many
 * tokens stay, are inputs, so one graph serves every schedule.
 *
 * Only layers that rank need all rows at once. A run therefore takes rows through some of the layers: rows leave at
 * the first layer that does not attend, between its projection to heads and its attention, and later join there
 * again, together with those of other runs. Layers that do not attend see no rows.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { GraphBuilder } from '../graph/builder.js';
import type { Port } from '../graph/ir.js';
import { decoderInputs, newNames, pastNames } from './decoder-ports.js';
import type { HeadRows, LayerRows, MixedRows, ProjectedRows, PrunedLayer } from './layer-context.js';
import { commonRows } from './layer-context.js';
import { importance } from './page-rank.js';
import { attendByHead, declareByHead, type PastRows } from './pruned-attention.js';

export const pruningInputs = {
  /** `[t]`: 0 to t − 1, for the rows that begin or join. */
  rows: 'chunk_rows',
  /** `[t]`: above 1 for rows that always stay, 0 for the others. */
  protection: 'protection',
  /** Bool `[3 · layers]`, see `layerFlags`. */
  flags: 'layer_flags',
  /** `[layers]`: rows that stay behind the attention of each. */
  staying: 'staying',
  /** Rows that join: `[1, t, h·(g+2)·d]` and `[1, t, width]`. */
  joiningHeads: 'joining.qkv',
  joiningResidual: 'joining.residual',
} as const;

export const pruningOutputs = {
  /** The rows of the run, in order, that enter a layer; all enter the first one that attends. */
  entering: (layer: number): string => `entering.${layer}`,
  /** As the rows that join. */
  leavingHeads: 'leaving.qkv',
  leavingResidual: 'leaving.residual',
} as const;

/** What a layer does: whether it attends, whether rows join it before, whether it ranks them. */
export const layerFlags = ['attends', 'joins', 'ranks'] as const;
type LayerFlag = (typeof layerFlags)[number];

type Turn = (qkv: string, rows: LayerRows) => HeadRows;

export class PrunedRows {
  readonly #graph: GraphBuilder;
  readonly #config: DecoderConfig;

  constructor(graph: GraphBuilder, config: DecoderConfig) {
    this.#graph = graph;
    this.#config = config;
    const { layers, heads, kvHeads, headDim, hiddenSize } = config;
    const group = heads / kvHeads;
    graph.input(pruningInputs.rows, 'int64', ['rows']);
    graph.input(pruningInputs.protection, 'float32', ['rows']);
    graph.input(pruningInputs.flags, 'bool', [layerFlags.length * layers]);
    graph.input(pruningInputs.staying, 'int64', [layers]);
    graph.input(pruningInputs.joiningHeads, 'float32', [1, 'joining', this.#projected]);
    graph.input(pruningInputs.joiningResidual, 'float32', [1, 'joining', hiddenSize]);
    declareByHead(graph, config);
    for (let index = 0; index < layerFlags.length * layers; index++)
      graph.constant(`index/${index}`, [index]);
    graph.constant('shape/by_row', [0, group + 2, -1]);
    graph.constant('shape/flat_positions', [0, -1]);
    graph.constant('head_rows', [group, 1, 1]);
    graph.constant('none/from', [0, 0]);
    graph.constant('none/to', [0, heads * headDim]);
    graph.constant('axis/third', [2]);
    graph.constant('axis/second_third', [1, 2]);
    graph.reshape('positions/by_row', decoderInputs.positions, 'shape/by_row');
  }

  layer(layer: number): PrunedLayer {
    return { attend: (own, turn) => this.#layer(layer, own, turn) };
  }

  /** The rows that left, whichever layer they left at. */
  collectLeaving(): void {
    const graph = this.#graph;
    const { layers, hiddenSize } = this.#config;
    const all = (name: string): string[] =>
      Array.from({ length: layers }, (_, layer) => leftName(name, layer));
    for (const [name, width] of [
      [pruningOutputs.leavingHeads, this.#projected],
      [pruningOutputs.leavingResidual, hiddenSize],
    ] as const) {
      graph.concat(name, all(name), 1);
      graph.output(name, 'float32', [1, 'leaving', width]);
    }
  }

  /** Width of the projection to heads. */
  get #projected(): number {
    const { heads, kvHeads, headDim } = this.#config;
    return (heads + 2 * kvHeads) * headDim;
  }

  /**
   *   attends? ┬ yes: attention, then the rows that stay
   *            └ no:  all rows leave
   */
  #layer(layer: number, own: ProjectedRows, turn: Turn): MixedRows {
    const graph = this.#graph;
    const { layers, heads, headDim, hiddenSize } = this.#config;
    const { key, value } = newNames(layer);
    const past = this.#past(layer);
    const staying = `rows_${layer + 1}`;
    const cached = ['sequences', 1, `rows_${layer}`, headDim];
    const ports: Port[] = [
      { name: `layers.${layer}/mixed`, dtype: 'float32', shape: [1, staying, heads * headDim] },
      { name: `layers.${layer}/residual`, dtype: 'float32', shape: [1, staying, hiddenSize] },
      { name: pruningOutputs.entering(layer + 1), dtype: 'int64', shape: [staying] },
      { name: key, dtype: 'float32', shape: cached },
      { name: value, dtype: 'float32', shape: cached },
      ...[pruningOutputs.leavingHeads, pruningOutputs.leavingResidual].map(
        (name, i): Port => ({
          name: leftName(name, layer),
          dtype: 'float32',
          shape: [1, `left_${layer}`, i === 0 ? this.#projected : hiddenSize],
        }),
      ),
    ];
    graph.choose(
      this.#flag('attends', layer),
      ports,
      () => this.#attend(layer, own, past, turn),
      () => this.#leave(layer, own, past),
    );
    graph.output(key, 'float32', cached);
    graph.output(value, 'float32', cached);
    if (layer + 1 < layers) graph.output(ports[2]!.name, 'int64', [staying]);
    return { mixed: ports[0]!.name, residual: ports[1]!.name };
  }

  #past(layer: number): PastRows {
    const past = pastNames(layer);
    const shape = ['sequences', 1, `capacity_${layer}`, this.#config.headDim];
    for (const name of [past.key, past.value]) this.#graph.input(name, 'float32', shape);
    return past;
  }

  #leave(layer: number, { qkv, residual }: ProjectedRows, past: PastRows): string[] {
    const graph = this.#graph;
    const path = `layers.${layer}/leave`;
    return [
      graph.slice(`${path}/mixed`, qkv, 'none/from', 'none/to', 'axis/second_third'),
      this.#none(`${path}/residual`, residual, 'second'),
      this.#none(`${path}/entering`, this.#entering(layer), 'first'),
      this.#none(`${path}/key`, past.key, 'third'),
      this.#none(`${path}/value`, past.value, 'third'),
      graph.identity(`${path}/left_heads`, qkv),
      graph.identity(`${path}/left_residual`, residual),
    ];
  }

  #attend(layer: number, own: ProjectedRows, past: PastRows, turn: Turn): string[] {
    const graph = this.#graph;
    const path = `layers.${layer}/attend`;
    const { qkv, residual, rows } = this.#joined(layer, own);
    const count = graph.shape(`${path}/count`, rows, 0, 1);
    const protection = graph.gather(`${path}/protection`, pruningInputs.protection, rows, 0);
    const heads = turn(qkv, this.#turning(layer, rows, count));
    const ranks = this.#flag('ranks', layer);
    const { mixed, squares } = attendByHead(graph, this.#config, layer, heads, {
      past,
      count,
      protection,
      ranks,
    });
    const worth = graph.add(`${path}/worth`, importance(graph, path, squares), protection);
    const stay = graph.gather(`${path}/stay`, pruningInputs.staying, `index/${layer}`, 0);
    const { places } = graph.topK(`${path}/best`, worth, stay, 'largest');
    const sorted = graph.topK(`${path}/sorted`, places, stay, 'ascending').values;
    return [
      graph.gather(`${path}/kept_mixed`, mixed, sorted, 1),
      graph.gather(`${path}/kept_residual`, residual, sorted, 1),
      graph.gather(`${path}/kept_rows`, rows, sorted, 0),
      heads.key,
      heads.value,
      this.#none(`${path}/left_heads`, qkv, 'second'),
      this.#none(`${path}/left_residual`, residual, 'second'),
    ];
  }

  /**
   *   joins? ┬ yes: the rows that join
   *          └ no:  those of the layer before
   */
  #joined(layer: number, own: ProjectedRows): ProjectedRows & { readonly rows: string } {
    const graph = this.#graph;
    const path = `layers.${layer}/joined`;
    const dim = `rows_${layer}`;
    const ports: Port[] = [
      { name: `${path}/qkv`, dtype: 'float32', shape: [1, dim, this.#projected] },
      { name: `${path}/residual`, dtype: 'float32', shape: [1, dim, this.#config.hiddenSize] },
      { name: `${path}/rows`, dtype: 'int64', shape: [dim] },
    ];
    const { joiningHeads, joiningResidual, rows } = pruningInputs;
    const copies = (values: readonly string[], which: string): string[] =>
      values.map((value, i) => graph.identity(`${ports[i]!.name}/${which}`, value));
    graph.choose(
      this.#flag('joins', layer),
      ports,
      () => copies([joiningHeads, joiningResidual, rows], 'new'),
      () => copies([own.qkv, own.residual, this.#entering(layer)], 'own'),
    );
    return { qkv: ports[0]!.name, residual: ports[1]!.name, rows: ports[2]!.name };
  }

  /** `positions/by_row[:, :, rows]`, and the sizes of queries, keys and values: their number · (g, 1, 1). */
  #turning(layer: number, rows: string, count: string): LayerRows {
    const graph = this.#graph;
    const path = `layers.${layer}/turning`;
    const byRow = graph.gather(`${path}/positions_by_row`, 'positions/by_row', rows, 2);
    return {
      ...commonRows,
      positions: graph.reshape(`${path}/positions`, byRow, 'shape/flat_positions'),
      headSplit: graph.multiply(`${path}/head_split`, count, 'head_rows'),
    };
  }

  /** The rows that come from the layer before. */
  #entering(layer: number): string {
    return layer === 0 ? pruningInputs.rows : pruningOutputs.entering(layer);
  }

  /** `x` without any rows. */
  #none(name: string, x: string, axis: 'first' | 'second' | 'third'): string {
    return this.#graph.slice(name, x, 'none', 'none', `axis/${axis}`);
  }

  #flag(flag: LayerFlag, layer: number): string {
    const index = layerFlags.indexOf(flag) * this.#config.layers + layer;
    return this.#graph.gather(`layers.${layer}/${flag}`, pruningInputs.flags, `index/${index}`, 0);
  }
}

const leftName = (name: string, layer: number): string => `layers.${layer}/${name}`;
