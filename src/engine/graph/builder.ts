/** Collects a graph node by node. One method for each operator that the models use; shapes are in the comments. */

import type {
  Attribute,
  Branch,
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

export interface TopK {
  readonly values: string;
  readonly places: string;
}

/** Names of stored vectors. */
export interface NormWeights {
  readonly weight: string;
  readonly bias: string;
}

export class GraphBuilder {
  readonly #inputs: Port[] = [];
  readonly #outputs: Port[] = [];
  #nodes: Node[] = [];
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

  scalar(name: string, value: number): string {
    this.#constants.set(name, { name, dtype: 'float32', shape: [], values: [value] });
    return name;
  }

  /** A one-dimensional float32 weight. */
  vector(name: string, tensor: string, size: number): string {
    return this.table(name, tensor, size, [size]);
  }

  /** A float32 weight of any shape, from the first `rows` rows of a tensor. */
  table(name: string, tensor: string, rows: number, shape: readonly number[]): string {
    const slices: RowSlice[] = [{ tensor, first: 0, count: rows }];
    this.#stored.set(name, { name, dtype: 'float32', shape, source: { kind: 'float32', slices } });
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

  /**
   * Runs one of two branches, as the bool `condition [1]` says. Each returns values that it made, in the order of
   * `ports`, under whose names they come out.
   */
  choose(
    condition: string,
    ports: readonly Port[],
    whenTrue: () => readonly string[],
    whenFalse: () => readonly string[],
  ): void {
    const attributes = {
      then_branch: { branch: this.#branch(ports, whenTrue) },
      else_branch: { branch: this.#branch(ports, whenFalse) },
    };
    const names = ports.map((port) => port.name);
    this.node('If', [condition], names, attributes);
  }

  /**
   * Runs the body for one entry after another of the first axis of all `sliced`, which it knows as `slices`, and
   * stacks what it returns. `ports` describe one entry; the stacks come out under their names.
   */
  scan(
    sliced: readonly string[],
    slices: readonly Port[],
    ports: readonly Port[],
    build: () => readonly string[],
  ): void {
    const body = { branch: this.#branch(ports, build, slices) };
    const names = ports.map((port) => port.name);
    this.node('Scan', sliced, names, { body, num_scan_inputs: sliced.length });
  }

  #branch(ports: readonly Port[], build: () => readonly string[], inputs: readonly Port[] = []): Branch {
    const around = this.#nodes;
    this.#nodes = [];
    const outputs = build().map((name, i): Port => ({ ...ports[i]!, name }));
    const nodes = this.#nodes;
    this.#nodes = around;
    return { inputs, nodes, outputs };
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

  layerNorm(name: string, x: string, { weight, bias }: NormWeights, epsilon: number): string {
    const attributes = { epsilon: { float: epsilon }, axis: -1 };
    return this.node('LayerNormalization', [x, weight, bias], [name], attributes)[0]!;
  }

  /** As `addAndNorm`, with means taken off and a bias. */
  addAndLayerNorm(
    name: string,
    x: string,
    residual: string,
    { weight, bias }: NormWeights,
    epsilon: number,
  ): { normed: string; sum: string } {
    const sum = `${name}/sum`;
    const attributes = { epsilon: { float: epsilon } };
    const inputs = [x, residual, weight, bias];
    this.node('SkipLayerNormalization', inputs, [name, '', '', sum], attributes, contribDomain);
    return { normed: name, sum };
  }

  /** Every row sees every other: `q`, `k`, `v [b, rows, heads · d]` to the same shape. */
  attention(name: string, q: string, k: string, v: string, heads: number): string {
    return this.node('MultiHeadAttention', [q, k, v], [name], { num_heads: heads }, contribDomain)[0]!;
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

  subtract(name: string, a: string, b: string): string {
    return this.node('Sub', [a, b], [name])[0]!;
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

  /** The entries `[...]` of one axis; `rows` is a list of places. */
  gather(name: string, x: string, rows: string, axis: number): string {
    return this.node('Gather', [x, rows], [name], { axis })[0]!;
  }

  /** `gelu_pytorch_tanh` is the approximation with tanh, `quick_gelu` is `x · sigmoid(1.702 x)`. */
  gelu(name: string, x: string, kind: 'gelu' | 'gelu_pytorch_tanh' | 'quick_gelu'): string {
    const op = { gelu: 'Gelu', gelu_pytorch_tanh: 'FastGelu', quick_gelu: 'QuickGelu' }[kind];
    const attributes = kind === 'quick_gelu' ? { alpha: { float: 1.702 } } : {};
    return this.node(op, [x], [name], attributes, contribDomain)[0]!;
  }

  /** A second name for a value, where an output must have its own. */
  identity(name: string, x: string): string {
    return this.node('Identity', [x], [name])[0]!;
  }

  /** Sizes of the axes `[first, end)`, as int64. */
  shape(name: string, x: string, first: number, end: number): string {
    return this.node('Shape', [x], [name], { start: first, end })[0]!;
  }

  slice(name: string, x: string, starts: string, ends: string, axes: string): string {
    return this.node('Slice', [x, starts, ends, axes], [name])[0]!;
  }

  reduceMean(name: string, x: string, axes: string): string {
    return this.node('ReduceMean', [x, axes], [name], { keepdims: 1 })[0]!;
  }

  sqrt(name: string, x: string): string {
    return this.node('Sqrt', [x], [name])[0]!;
  }

  /** The `count [1]` largest (or smallest, in order) entries of a list; of equal ones those that come first. */
  topK(name: string, x: string, count: string, choice: 'largest' | 'ascending'): TopK {
    const [values, places] = [`${name}/values`, `${name}/places`];
    const largest = choice === 'largest' ? 1 : 0;
    this.node('TopK', [x, count], [values, places], { axis: -1, largest, sorted: 1 - largest });
    return { values, places };
  }
}
