/** Collects a graph node by node. One method for each operator that the models use; shapes are in the comments. */

import type {
  Attribute,
  Constant,
  Dim,
  Dtype,
  Graph,
  Matrix,
  Node,
  Port,
  RowSlice,
  StoredTensor,
} from './ir.js';
import { compilerDomain, contribDomain } from './ir.js';

export class GraphBuilder {
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<string, Constant>();
  readonly #matrices = new Map<string, Matrix>();
  readonly #stored = new Map<string, StoredTensor>();
  readonly #marks = new Map<string, string>();

  build(): Graph {
    return {
      inputs: this.#inputs,
      outputs: this.#outputs,
      nodes: this.#nodes,
      constants: this.#constants,
      matrices: this.#matrices,
      stored: this.#stored,
      marks: this.#marks,
    };
  }

  input(name: string, dtype: Dtype, shape: readonly Dim[]): string {
    this.#inputs.push({ name, dtype, shape });
    return name;
  }

  /** Declares a value of the graph as an output; the value keeps its name. */
  output(name: string, dtype: Dtype, shape: readonly Dim[]): void {
    this.#outputs.push({ name, dtype, shape });
  }

  mark(key: string, value: string): void {
    this.#marks.set(key, value);
  }

  constant(name: string, values: readonly number[]): string {
    this.#constants.set(name, { name, dtype: 'int64', shape: [values.length], values });
    return name;
  }

  /** A one-dimensional float32 weight. */
  vector(name: string, tensor: string, size: number): string {
    const slices: RowSlice[] = [{ tensor, first: 0, count: size }];
    this.#stored.set(name, { name, dtype: 'float32', shape: [size], source: { kind: 'float32', slices } });
    return name;
  }

  node(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): readonly string[] {
    const name = outputs.find((output) => output !== '')!;
    this.#nodes.push({ name, op, domain, inputs, outputs, attributes });
    return outputs;
  }

  /** `x [..., columns]` times the matrix, plus its bias: `[..., rows]`. Precision is chosen by a later pass. */
  linear(name: string, x: string, matrix: Matrix): string {
    this.#matrices.set(name, matrix);
    return this.node('Linear', [x], [name], { matrix: name }, compilerDomain)[0]!;
  }

  rmsNorm(name: string, x: string, weight: string, epsilon: number): string {
    const attributes = { epsilon: { float: epsilon }, axis: -1 };
    return this.node('SimplifiedLayerNormalization', [x, weight], [name], attributes)[0]!;
  }

  /** Adds `x` to the residual stream and normalises the sum, in one node. */
  addAndNorm(
    name: string,
    x: string,
    residual: string,
    weight: string,
    epsilon: number,
  ): { normed: string; sum: string } {
    const sum = `${name}/sum`;
    const outputs = [name, '', '', sum];
    const attributes = { epsilon: { float: epsilon } };
    this.node('SkipSimplifiedLayerNormalization', [x, residual, weight], outputs, attributes, contribDomain);
    return { normed: name, sum };
  }

  reshape(name: string, x: string, shape: string): string {
    return this.node('Reshape', [x, shape], [name])[0]!;
  }

  transpose(name: string, x: string, perm: readonly number[]): string {
    return this.node('Transpose', [x], [name], { perm })[0]!;
  }

  split(names: readonly string[], x: string, sizes: string, axis: number): readonly string[] {
    return this.node('Split', [x, sizes], names, { axis });
  }

  add(name: string, a: string, b: string): string {
    return this.node('Add', [a, b], [name])[0]!;
  }

  multiply(name: string, a: string, b: string): string {
    return this.node('Mul', [a, b], [name])[0]!;
  }

  matmul(name: string, a: string, b: string): string {
    return this.node('MatMul', [a, b], [name])[0]!;
  }

  /** `alpha · a · bᵀ` */
  matmulTransposed(name: string, a: string, b: string, alpha = 1): string {
    const attributes = { transB: 1, alpha: { float: alpha } };
    return this.node('FusedMatMul', [a, b], [name], attributes, contribDomain)[0]!;
  }

  /** `x [b, heads, rows, d]`; `positions [b, rows]` selects rows of the tables `[n, d / 2]`; halves are rotated. */
  rotaryEmbedding(name: string, x: string, positions: string, cos: string, sin: string): string {
    return this.node('RotaryEmbedding', [x, positions, cos, sin], [name], {}, contribDomain)[0]!;
  }

  concat(name: string, parts: readonly string[], axis: number): string {
    return this.node('Concat', parts, [name], { axis })[0]!;
  }

  softmax(name: string, x: string): string {
    return this.node('Softmax', [x], [name], { axis: -1 })[0]!;
  }

  /** `x · sigmoid(x)` */
  silu(name: string, x: string): string {
    return this.node('QuickGelu', [x], [name], { alpha: { float: 1 } }, contribDomain)[0]!;
  }

  gatherRows(name: string, x: string, rows: string): string {
    return this.node('Gather', [x, rows], [name], { axis: 0 })[0]!;
  }
}
