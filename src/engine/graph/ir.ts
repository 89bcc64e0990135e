/**
 * The intermediate form of a model: a straight list of nodes over named values, in execution order. Passes
 * rewrite it, `verify` checks it, `onnx-writer` serialises it. Names are paths (`layers.0/attention/scores`).
 */

export type Dtype = 'float32' | 'int64' | 'int32' | 'uint8' | 'bool';
/** A number, or the name of a size that is known only at run time. */
export type Dim = number | string;
export type Attribute =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly branch: Branch };

export interface Port {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly Dim[];
}

export interface Node {
  readonly name: string;
  readonly op: string;
  /** Empty for the ONNX standard operators. */
  readonly domain: string;
  /** An empty name leaves an optional input out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/**
 * What an `If` runs on one side, or a `Scan` for every slice: nodes that may read every value defined before it, and
 * what comes out.
 */
export interface Branch {
  /** The slices of a `Scan`. */
  readonly inputs: readonly Port[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly Port[];
}

/** Rows `[first, first + count)` of a tensor of the checkpoint. */
export interface RowSlice {
  readonly tensor: string;
  readonly first: number;
  readonly count: number;
}

/** A weight `[rows, columns]` (out, in) stacked from slices of the checkpoint, before any precision is chosen. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly slices: readonly RowSlice[];
  readonly bias: readonly RowSlice[] | undefined;
}

/** How the bytes of a stored tensor come from the checkpoint. */
export type TensorSource =
  | { readonly kind: 'float32'; readonly slices: readonly RowSlice[] }
  | { readonly kind: 'packed' | 'scales'; readonly bits: 4 | 8; readonly matrix: Matrix };

/** A weight that lives in the external weight file. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly source: TensorSource;
}

export interface Constant {
  readonly name: string;
  readonly dtype: 'int64' | 'float32';
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export interface Graph {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Constant>;
  /** Weights of the `Linear` nodes, by their attribute `matrix`; empty after lowering. */
  readonly matrices: ReadonlyMap<string, Matrix>;
  readonly stored: ReadonlyMap<string, StoredTensor>;
  /** Values that passes look for: `residual.<layer>` (input of that layer), `final` (after the last norm). */
  readonly marks: ReadonlyMap<string, string>;
}

export function branchesOf({ attributes }: Node): Branch[] {
  return Object.values(attributes).flatMap((value) =>
    typeof value === 'object' && 'branch' in value ? [value.branch] : [],
  );
}

/** The domain of nodes that exist only inside the compiler. */
export const compilerDomain = 'trimtab';

export const contribDomain = 'com.microsoft';

/** The matrix of a `Linear` node, and undefined for every other node. */
export function matrixOf(graph: Graph, { op, domain, attributes }: Node): Matrix | undefined {
  if (op !== 'Linear' || domain !== compilerDomain) return undefined;
  return graph.matrices.get(String(attributes.matrix));
}
