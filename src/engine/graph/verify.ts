/** The checks that run after every pass, so that a bad pass fails at the pass and names the node. */

import type { Branch, Graph, Node } from './ir.js';
import { branchesOf, compilerDomain, contribDomain, matrixOf } from './ir.js';

interface Arity {
  readonly inputs: readonly [least: number, most: number];
  readonly outputs: readonly [least: number, most: number];
}

const one = [1, 1] as const;
const two = [2, 2] as const;

/** Every operator that a graph may contain. */
const operators: Readonly<Record<string, Arity>> = {
  Add: { inputs: two, outputs: one },
  Concat: { inputs: [1, 1024], outputs: one },
  Gather: { inputs: two, outputs: one },
  Identity: { inputs: one, outputs: one },
  If: { inputs: one, outputs: [1, 8] },
  LayerNormalization: { inputs: [3, 3], outputs: one },
  MatMul: { inputs: two, outputs: one },
  Mul: { inputs: two, outputs: one },
  ReduceMean: { inputs: two, outputs: one },
  Reshape: { inputs: two, outputs: one },
  Scan: { inputs: [1, 8], outputs: [1, 8] },
  Shape: { inputs: one, outputs: one },
  SimplifiedLayerNormalization: { inputs: two, outputs: one },
  Slice: { inputs: [4, 4], outputs: one },
  Softmax: { inputs: one, outputs: one },
  Split: { inputs: two, outputs: [1, 8] },
  Sqrt: { inputs: one, outputs: one },
  Sub: { inputs: two, outputs: one },
  TopK: { inputs: two, outputs: two },
  Transpose: { inputs: one, outputs: one },
  [`${contribDomain}.FastGelu`]: { inputs: one, outputs: one },
  [`${contribDomain}.FusedMatMul`]: { inputs: two, outputs: one },
  [`${contribDomain}.Gelu`]: { inputs: one, outputs: one },
  [`${contribDomain}.MatMulNBits`]: { inputs: [3, 6], outputs: one },
  [`${contribDomain}.MultiHeadAttention`]: { inputs: [3, 3], outputs: one },
  [`${contribDomain}.QuickGelu`]: { inputs: one, outputs: one },
  [`${contribDomain}.RotaryEmbedding`]: { inputs: [4, 4], outputs: one },
  [`${contribDomain}.SkipLayerNormalization`]: { inputs: [4, 4], outputs: [1, 4] },
  [`${contribDomain}.SkipSimplifiedLayerNormalization`]: { inputs: [3, 4], outputs: [1, 4] },
  [`${compilerDomain}.Linear`]: { inputs: one, outputs: one },
};

/** Throws an `Error` (a bug of the compiler) at the first node or port that is wrong. */
export function verify(graph: Graph, after: string): void {
  const fail = (fact: string): never => {
    throw new Error(`graph after ${after}: ${fact}`);
  };
  const defined = new Set<string>();
  const define = (name: string): void => {
    if (name === '' || defined.has(name)) fail(`value "${name}" is defined twice or has no name`);
    defined.add(name);
  };
  for (const { name } of graph.inputs) define(name);
  for (const name of [...graph.constants.keys(), ...graph.stored.keys()]) define(name);
  const checkNodes = (nodes: readonly Node[]): void => {
    for (const node of nodes) {
      const problem = arityProblem(node) ?? undefinedInput(node, defined) ?? missingMatrix(graph, node);
      if (problem !== undefined) fail(`node ${node.name}: ${problem}`);
      for (const branch of branchesOf(node)) {
        for (const { name } of branch.inputs) define(name);
        checkNodes(branch.nodes);
        const problem = branchProblem(node, branch);
        if (problem !== undefined) fail(`node ${node.name}: ${problem}`);
      }
      for (const output of node.outputs) if (output !== '') define(output);
    }
  };
  checkNodes(graph.nodes);
  for (const { name } of graph.outputs) if (!defined.has(name)) fail(`output ${name} has no producer`);
  for (const [key, name] of graph.marks) if (!defined.has(name)) fail(`mark ${key} points at no value`);
  const unread = unreadWeight(graph);
  if (unread !== undefined) fail(`weight ${unread} is read by no node`);
}

function arityProblem({ op, domain, inputs, outputs }: Node): string | undefined {
  const arity = operators[domain === '' ? op : `${domain}.${op}`];
  if (arity === undefined) return `operator ${domain}.${op} is unknown`;
  const fits = (count: number, [least, most]: readonly [number, number]) => count >= least && count <= most;
  if (!fits(inputs.length, arity.inputs)) return `${op} has ${inputs.length} inputs`;
  if (!fits(outputs.length, arity.outputs)) return `${op} has ${outputs.length} outputs`;
  return undefined;
}

function undefinedInput({ inputs }: Node, defined: ReadonlySet<string>): string | undefined {
  const missing = inputs.find((input) => input !== '' && !defined.has(input));
  return missing === undefined ? undefined : `input ${missing} is not defined before it`;
}

/** Names are unique over all branches, so that a text dump needs no scopes. */
function branchProblem({ outputs }: Node, branch: Branch): string | undefined {
  if (branch.outputs.length !== outputs.length) return `a branch has ${branch.outputs.length} outputs`;
  const made = new Set(branch.nodes.flatMap((node) => node.outputs));
  const outside = branch.outputs.find(({ name }) => !made.has(name));
  return outside === undefined ? undefined : `a branch does not make its output ${outside.name}`;
}

function missingMatrix(graph: Graph, node: Node): string | undefined {
  return node.domain === compilerDomain && matrixOf(graph, node) === undefined ? 'has no matrix' : undefined;
}

function unreadWeight(graph: Graph): string | undefined {
  const read = new Set(graph.nodes.flatMap(inputsOf));
  return [...graph.stored.keys(), ...graph.constants.keys()].find((name) => !read.has(name));
}

function inputsOf(node: Node): readonly string[] {
  return [...node.inputs, ...branchesOf(node).flatMap(({ nodes }) => nodes.flatMap(inputsOf))];
}
