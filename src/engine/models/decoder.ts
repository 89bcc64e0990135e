/**
 * A pre-norm decoder as a graph, from embeddings to logits:
 *
 *   embeddings ─┬─ norm ── attention ─┬─ add+norm ── mlp ─┬─ add+norm ── … ── asked rows ── head ── logits
 *               └──── residual ───────┘                   │
 *                                     └──── residual ─────┘
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { DecoderTensorNames } from '../checkpoint/decoder-tensors.js';
import { decoderTensorNames } from '../checkpoint/decoder-tensors.js';
import { GraphBuilder } from '../graph/builder.js';
import type { Graph } from '../graph/ir.js';
import type { Attended, LayerContext, Phase, Stream } from './layers.js';
import { commonRows, decoderInputs, wholeMatrix } from './layers.js';
import { PrunedRows } from './pruned-rows.js';
import { declareRagged, raggedRows } from './ragged-rows.js';

/** What differs between families inside a layer; all values are `[b, t, width]`. */
export interface DecoderBlock {
  attention(context: LayerContext, x: Stream): Attended;
  mlp(context: LayerContext, x: string): string;
}

export function buildDecoder(config: DecoderConfig, block: DecoderBlock, phase: Phase): Graph {
  const graph = new GraphBuilder();
  const names = decoderTensorNames(config);
  declareInputs(graph, config, phase);
  const final = layers(graph, config, names, block, phase);
  graph.mark('final', final);
  head(graph, config, names, final);
  return graph.build();
}

function declareInputs(graph: GraphBuilder, config: DecoderConfig, phase: Phase): void {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = config;
  const group = heads / kvHeads;
  graph.input(decoderInputs.embeddings, 'float32', ['lanes', 'rows', hiddenSize]);
  if (phase !== 'ragged') graph.input(decoderInputs.mask, 'float32', ['lanes', 1, 'rows', 'total']);
  graph.input(decoderInputs.positions, 'int64', ['lanes', 'head_rows']);
  graph.input(decoderInputs.ropeCos, 'float32', ['rope_rows', headDim / 2]);
  graph.input(decoderInputs.ropeSin, 'float32', ['rope_rows', headDim / 2]);
  if (phase !== 'pruning') graph.input(decoderInputs.headSplit, 'int64', [3]);
  if (phase === 'step') graph.input(decoderInputs.keySplit, 'int64', [2]);
  if (phase === 'ragged') declareRagged(graph, config);
  graph.input(decoderInputs.logitRows, 'int64', ['logit_rows']);
  graph.constant('shape/grouped', [0, -1, kvHeads, group + 2, headDim]);
  graph.constant('shape/flat', [0, kvHeads, -1, headDim]);
  graph.constant('shape/regrouped', [0, kvHeads, group, -1, headDim]);
  graph.constant('shape/merged', [0, -1, heads * headDim]);
  graph.constant('shape/rows', [-1, hiddenSize]);
  graph.constant('split/gate_up', [intermediateSize, intermediateSize]);
  if (phase === 'step' || phase === 'prompt') groupedMask(graph, group);
}

/** The rows of a query head follow those of the one before it, so the mask is repeated for each: `[b, 1, g·t, total]`. */
function groupedMask(graph: GraphBuilder, group: number): void {
  graph.concat('mask/grouped', Array<string>(group).fill(decoderInputs.mask), 2);
}

function layers(
  graph: GraphBuilder,
  config: DecoderConfig,
  names: DecoderTensorNames,
  block: DecoderBlock,
  phase: Phase,
): string {
  const { hiddenSize, rmsNormEps } = config;
  const weight = (name: string, tensor: string) => graph.vector(`${name}.weight`, tensor, hiddenSize);
  const firstNorm = 'layers.0/input_norm';
  let residual: string = decoderInputs.embeddings;
  let normed = graph.rmsNorm(firstNorm, residual, weight(firstNorm, names.layers[0]!.inputNorm), rmsNormEps);
  const pruned = phase === 'pruning' ? new PrunedRows(graph, config) : undefined;
  const advance = (x: string, name: string, tensor: string): void => {
    ({ normed, sum: residual } = graph.addAndNorm(name, x, residual, weight(name, tensor), rmsNormEps));
  };
  names.layers.forEach((layerNames, layer) => {
    const path = `layers.${layer}`;
    const rows = pruned?.entering(layer) ?? (phase === 'ragged' ? raggedRows(layer) : commonRows);
    const context: LayerContext = { graph, config, names: layerNames, layer, path, phase, rows };
    graph.mark(`residual.${layer}`, residual);
    const attended = block.attention(context, { normed, residual });
    residual = attended.residual;
    advance(attended.output, `${path}/post_attention_norm`, layerNames.postAttentionNorm);
    const output = block.mlp(context, normed);
    const next = names.layers[layer + 1];
    if (next === undefined) advance(output, 'final_norm', names.finalNorm);
    else advance(output, `layers.${layer + 1}/input_norm`, next.inputNorm);
  });
  return normed;
}

/** Logits of the asked rows only, `[logit_rows, vocab]`; rows are counted over all lanes. */
function head(graph: GraphBuilder, config: DecoderConfig, names: DecoderTensorNames, final: string): void {
  const rows = graph.reshape('head/rows', final, 'shape/rows');
  const asked = graph.gather('head/asked', rows, decoderInputs.logitRows, 0);
  const projection = { weight: names.head, bias: undefined };
  const logits = graph.linear('logits', asked, wholeMatrix(projection, config.vocabSize, config.hiddenSize));
  graph.output(logits, 'float32', ['logit_rows', config.vocabSize]);
}
