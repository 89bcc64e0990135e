/** The matrices of linear layers, out of the tensors of a checkpoint: what reads the same input becomes one of them. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { LayerTensorNames, ProjectionNames } from '../checkpoint/decoder-tensors.js';
import type { Matrix, RowSlice } from '../graph/ir.js';

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

export function wholeMatrix(projection: ProjectionNames, rows: number, columns: number): Matrix {
  return stacked([{ projection, first: 0, count: rows }], columns);
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

export function gateUpMatrix(
  { hiddenSize, intermediateSize }: DecoderConfig,
  { gate, up }: LayerTensorNames,
): Matrix {
  const whole = (projection: ProjectionNames) => ({ projection, first: 0, count: intermediateSize });
  return stacked([whole(gate), whole(up)], hiddenSize);
}
