/**
 * Replaces every `Linear` node by the operator of the chosen precision and lists the tensors that it reads:
 *
 *   int4, int8:  x ── MatMulNBits(packed [N, blocks, bytes], scales [N, blocks], bias?) ── y
 *   fp32:        x ── FusedMatMul(weight [N, K], transB) ── (Add bias) ── y
 */

import type { Graph, Matrix, Node, RowSlice, StoredTensor } from '../ir.js';
import { contribDomain, matrixOf } from '../ir.js';
import type { Pass } from './pass.js';

export type WeightPrecision = 'int4' | 'int8' | 'fp32';
/** `int8` quantises each row of activations in blocks, which is the fast path of the CPU kernels. */
export type ActivationPrecision = 'int8' | 'fp32';

export const quantizationBlock = 32;

const bitsOf = { int4: 4, int8: 8 } as const;
/** The numbers that MatMulNBits gives to its ways of computing. */
const accuracyLevels = { fp32: 1, int8: 4 } as const;

export function lowerLinear(weights: WeightPrecision, activations: ActivationPrecision): Pass {
  return {
    name: `lower-linear(${weights})`,
    run(graph) {
      const stored = new Map(graph.stored);
      const nodes = graph.nodes.flatMap((node) => {
        const matrix = matrixOf(graph, node);
        if (matrix === undefined) return [node];
        return weights === 'fp32'
          ? lowerToFloat(node, matrix, stored)
          : [lowerToBlocks(node, matrix, bitsOf[weights], accuracyLevels[activations], stored)];
      });
      return { ...graph, nodes, stored, matrices: new Map() } satisfies Graph;
    },
  };
}

function lowerToBlocks(
  { name, inputs, attributes }: Node,
  matrix: Matrix,
  bits: 4 | 8,
  accuracyLevel: number,
  stored: Map<string, StoredTensor>,
): Node {
  const { rows: N, columns: K } = matrix;
  const weight = String(attributes.matrix);
  const blocks = Math.ceil(K / quantizationBlock);
  const packed = store(stored, {
    name: `${weight}.packed`,
    dtype: 'uint8',
    shape: [N, blocks, (quantizationBlock * bits) / 8],
    source: { kind: 'packed', bits, matrix },
  });
  const scales = store(stored, {
    name: `${weight}.scales`,
    dtype: 'float32',
    shape: [N, blocks],
    source: { kind: 'scales', bits, matrix },
  });
  const bias =
    matrix.bias === undefined ? [] : ['', '', storeFloats(stored, `${weight}.bias`, [N], matrix.bias)];
  return {
    name,
    op: 'MatMulNBits',
    domain: contribDomain,
    inputs: [inputs[0]!, packed, scales, ...bias],
    outputs: [name],
    attributes: { K, N, bits, block_size: quantizationBlock, accuracy_level: accuracyLevel },
  };
}

function lowerToFloat(
  { name, inputs, attributes }: Node,
  matrix: Matrix,
  stored: Map<string, StoredTensor>,
): Node[] {
  const weight = storeFloats(
    stored,
    `${attributes.matrix}.weight`,
    [matrix.rows, matrix.columns],
    matrix.slices,
  );
  const product = (output: string): Node => ({
    name: output,
    op: 'FusedMatMul',
    domain: contribDomain,
    inputs: [inputs[0]!, weight],
    outputs: [output],
    attributes: { transB: 1, alpha: { float: 1 } },
  });
  if (matrix.bias === undefined) return [product(name)];
  const bias = storeFloats(stored, `${attributes.matrix}.bias`, [matrix.rows], matrix.bias);
  const unbiased = `${name}/product`;
  const add: Node = {
    name,
    op: 'Add',
    domain: '',
    inputs: [unbiased, bias],
    outputs: [name],
    attributes: {},
  };
  return [product(unbiased), add];
}

function storeFloats(
  stored: Map<string, StoredTensor>,
  name: string,
  shape: readonly number[],
  slices: readonly RowSlice[],
): string {
  return store(stored, { name, dtype: 'float32', shape, source: { kind: 'float32', slices } });
}

function store(stored: Map<string, StoredTensor>, tensor: StoredTensor): string {
  stored.set(tensor.name, tensor);
  return tensor.name;
}
