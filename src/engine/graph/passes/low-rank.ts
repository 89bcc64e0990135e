/**
 * Opens every projection for low-rank pairs that arrive as inputs, so that adapters are swapped without a new
 * graph and each token of a batch chooses its own (LoRA, arXiv 2106.09685 section 4):
 *
 *   x ─┬─ Linear ───────────────────────────────── Add ── y
 *      └─ MatMul A [K, r] ── Mul gate [r] ── MatMul B [r, N] ─┘
 *
 * The ranks of all adapters of a batch lie side by side in `r`; the gate `[lanes, rows, r]` holds, per token,
 * the scale of its own adapters and 0 for the others. `r = 0` adds zeros.
 */

import type { Graph, Node, Port } from '../ir.js';
import { compilerDomain, matrixOf } from '../ir.js';
import type { Pass } from './pass.js';

/** Layer projections that can be adapted, as they are fused in the graph; each kind shares one gate. */
export const lowRankSites = ['qkv', 'attention_out', 'gate_up', 'down'] as const;
export type LowRankSite = (typeof lowRankSites)[number];

export const lowRank: Pass = {
  name: 'low-rank',
  run(graph) {
    const opened = graph.nodes.filter((node) => siteOf(node) !== undefined);
    const gates = lowRankSites.map(
      (site): Port => ({
        name: gateName(site),
        dtype: 'float32',
        shape: ['lanes', 'rows', rankName(site)],
      }),
    );
    return {
      ...graph,
      inputs: [...graph.inputs, ...gates, ...opened.flatMap((node) => pairPorts(graph, node))],
      nodes: graph.nodes.flatMap((node) => (siteOf(node) === undefined ? [node] : withPair(node))),
    };
  },
};

export const gateName = (site: LowRankSite): string => `low_rank.${site}.gate`;
export const pairNames = (node: string): { a: string; b: string } => ({
  a: `${node}.low_rank.a`,
  b: `${node}.low_rank.b`,
});

/** `layers.3/qkv` is site `qkv`; the output head and everything else is none. */
export function siteOf({ name, op, domain }: Node): LowRankSite | undefined {
  if (op !== 'Linear' || domain !== compilerDomain) return undefined;
  return lowRankSites.find((site) => name.endsWith(`/${site}`));
}

const rankName = (site: LowRankSite): string => `rank_${site}`;

function pairPorts(graph: Graph, node: Node): Port[] {
  const { rows, columns } = matrixOf(graph, node)!;
  const { a, b } = pairNames(node.name);
  const rank = rankName(siteOf(node)!);
  return [
    { name: a, dtype: 'float32', shape: [columns, rank] },
    { name: b, dtype: 'float32', shape: [rank, rows] },
  ];
}

function withPair(node: Node): Node[] {
  const { name, inputs } = node;
  const { a, b } = pairNames(name);
  const base = `${name}/base`;
  const [down, gated, up] = [
    `${name}/low_rank/down`,
    `${name}/low_rank/gated`,
    `${name}/low_rank/up`,
  ] as const;
  const plain = (op: string, operands: readonly string[], output: string): Node => ({
    name: output,
    op,
    domain: '',
    inputs: operands,
    outputs: [output],
    attributes: {},
  });
  return [
    { ...node, name: base, outputs: [base] },
    plain('MatMul', [inputs[0]!, a], down),
    plain('Mul', [down, gateName(siteOf(node)!)], gated),
    plain('MatMul', [gated, b], up),
    plain('Add', [base, up], name),
  ];
}
