/** The largest projection of the first layer alone, `x [rows, width] ── gate_up ── y`, to time its kernels. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { decoderTensorNames } from '../checkpoint/decoder-tensors.js';
import { GraphBuilder } from '../graph/builder.js';
import type { Graph } from '../graph/ir.js';
import { gateUpMatrix } from './matrices.js';

export const probeNames = { input: 'x', output: 'layers.0/gate_up' } as const;

export function buildProbe(config: DecoderConfig): Graph {
  const graph = new GraphBuilder();
  const matrix = gateUpMatrix(config, decoderTensorNames(config).layers[0]!);
  const x = graph.input(probeNames.input, 'float32', ['rows', matrix.columns]);
  const y = graph.linear(probeNames.output, x, matrix);
  graph.output(y, 'float32', ['rows', matrix.rows]);
  return graph.build();
}
