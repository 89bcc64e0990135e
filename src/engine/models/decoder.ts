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
import { allNew, decoderInputs, newNames } from './decoder-ports.js';
import type { Attended, LayerContext, LayerRows, Stream } from './layer-context.js';
import { commonRows } from './layer-context.js';
import { wholeMatrix } from './matrices.js';
import type { Phase } from './phase.js';
import { isStep, splitsHeads } from './phase.js';
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
  if (phase !== 'pruning') collectNewRows(graph, config, phase);
  head(graph, config, names, final);
  return graph.build();
}

function declareInputs(graph: GraphBuilder, config: DecoderConfig, phase: Phase): void {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim } = config;
  graph.input(decoderInputs.embeddings, 'float32', ['lanes', 'rows', hiddenSize]);
  if (phase !== 'ragged') {
    const pairs = phase === 'pruning' ? [] : ['lanes', 1];
    graph.input(decoderInputs.mask, 'float32', [...pairs, 'rows', 'total']);
  }
  graph.input(decoderInputs.positions, 'int64', [splitsHeads(phase) ? 'sequences' : 'lanes', 'head_rows']);
  graph.input(decoderInputs.ropeCos, 'float32', ['rope_rows', headDim / 2]);
  graph.input(decoderInputs.ropeSin, 'float32', ['rope_rows', headDim / 2]);
  if (phase !== 'pruning') graph.input(decoderInputs.headSplit, 'int64', [3]);
  if (phase === 'step') graph.input(decoderInputs.keySplit, 'int64', [2]);
  if (phase === 'ragged') declareRagged(graph, config);
  graph.input(decoderInputs.logitRows, 'int64', ['logit_rows']);
  graph.constant('shape/grouped', [0, -1, kvHeads, heads / kvHeads + 2, headDim]);
  declareHeadShapes(graph, config, phase);
  graph.constant('shape/merged', [phase === 'pruning' ? 1 : 0, -1, heads * headDim]);
  graph.constant('shape/rows', [-1, hiddenSize]);
  graph.constant('split/gate_up', [intermediateSize, intermediateSize]);
  declareMasks(graph, config, phase);
}

function declareHeadShapes(graph: GraphBuilder, config: DecoderConfig, phase: Phase): void {
  const { heads, kvHeads, headDim } = config;
  if (isStep(phase)) {
    graph.input(decoderInputs.flatShape, 'int64', [4]);
    graph.input(decoderInputs.queryShape, 'int64', [4]);
    graph.input(decoderInputs.regroupedShape, 'int64', [5]);
  } else {
    graph.constant('shape/flat', splitsHeads(phase) ? [kvHeads, 1, -1, headDim] : [0, kvHeads, -1, headDim]);
  }
  if (phase === 'prompt') graph.constant('shape/regrouped', [0, kvHeads, heads / kvHeads, -1, headDim]);
}

/** The rows of a query head follow those of the one before it, so the mask is repeated for each. */
function declareMasks(graph: GraphBuilder, { heads, kvHeads }: DecoderConfig, phase: Phase): void {
  const repeated = (times: number, axis: number) =>
    graph.concat('mask/grouped', Array<string>(times).fill(decoderInputs.mask), axis);
  if (phase === 'prompt') repeated(heads / kvHeads, 2);
  if (phase !== 'step') return;
  graph.input(decoderInputs.maskShape, 'int64', [4]);
  graph.reshape('mask/rows', repeated(heads, 1), decoderInputs.maskShape);
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
    const rows = rowsOf(phase, layer);
    const context: LayerContext = {
      graph,
      config,
      names: layerNames,
      layer,
      path,
      phase,
      rows,
      pruned: pruned?.layer(layer),
    };
    graph.mark(`residual.${layer}`, residual);
    const attended = block.attention(context, { normed, residual });
    residual = attended.residual;
    advance(attended.output, `${path}/post_attention_norm`, layerNames.postAttentionNorm);
    const output = block.mlp(context, normed);
    const next = names.layers[layer + 1];
    if (next === undefined) advance(output, 'final_norm', names.finalNorm);
    else advance(output, `layers.${layer + 1}/input_norm`, next.inputNorm);
  });
  pruned?.collectLeaving();
  return normed;
}

function rowsOf(phase: Phase, layer: number): LayerRows {
  if (phase === 'ragged') return raggedRows(layer);
  return phase === 'step' ? { ...commonRows, mask: 'mask/rows' } : commonRows;
}

/** Keys and values of all layers, one after another: `[2 · layers · n, 1, t, d]`, in prompts `[2 · layers, h, t, d]`. */
function collectNewRows(graph: GraphBuilder, config: DecoderConfig, phase: Phase): void {
  const { layers, kvHeads, headDim } = config;
  const parts = Array.from({ length: layers }, (_, layer) => newNames(layer));
  const all = parts.flatMap(({ key, value }) => [key, value]);
  graph.concat(allNew, all, 0);
  graph.output(allNew, 'float32', ['new_blocks', isStep(phase) ? 1 : kvHeads, 'rows', headDim]);
}

/** Logits of the asked rows only, `[logit_rows, vocab]`; rows are counted over all lanes. */
function head(graph: GraphBuilder, config: DecoderConfig, names: DecoderTensorNames, final: string): void {
  const rows = graph.reshape('head/rows', final, 'shape/rows');
  const asked = graph.gather('head/asked', rows, decoderInputs.logitRows, 0);
  const projection = { weight: names.head, bias: undefined };
  const logits = graph.linear('logits', asked, wholeMatrix(projection, config.vocabSize, config.hiddenSize));
  graph.output(logits, 'float32', ['logit_rows', config.vocabSize]);
}
