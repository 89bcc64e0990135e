/** A graph as text, one node a line, for people (`trimtab inspect --graph`) and for golden tests. */

import type { Attribute, Graph, Node, Port } from './ir.js';
import { branchesOf } from './ir.js';

export function dump(graph: Graph): string {
  return [
    ...graph.inputs.map((port) => `input  ${portText(port)}`),
    ...graph.nodes.flatMap(nodeLines),
    ...graph.outputs.map((port) => `output ${portText(port)}`),
    '',
  ].join('\n');
}

function portText({ name, dtype, shape }: Port): string {
  return `${name}: ${dtype}[${shape.join(', ')}]`;
}

/** A node, then its branches, indented. */
function nodeLines(node: Node): string[] {
  const titles = node.op === 'Scan' ? ['for'] : ['then', 'else'];
  const branches = branchesOf(node).flatMap(({ inputs, nodes, outputs }, index) => [
    [titles[index]!, ...inputs.map(portText), '=>', outputs.map((port) => port.name).join(', ')].join(' '),
    ...nodes.flatMap(nodeLines).map((line) => `  ${line}`),
  ]);
  return [nodeText(node), ...branches.map((line) => `  ${line}`)];
}

function nodeText({ op, domain, inputs, outputs, attributes }: Node): string {
  const settings = Object.entries(attributes).flatMap(([key, value]) =>
    typeof value === 'object' && 'branch' in value ? [] : [`${key}=${attributeText(value)}`],
  );
  const operands = inputs.map((input) => (input === '' ? '_' : input)).join(', ');
  const results = outputs.map((output) => (output === '' ? '_' : output)).join(', ');
  const suffix = settings.length === 0 ? '' : ` {${settings.join(' ')}}`;
  return `${results} = ${domain === '' ? op : `${domain}.${op}`}(${operands})${suffix}`;
}

function attributeText(value: Attribute): string {
  if (Array.isArray(value)) return `[${value}]`;
  return typeof value === 'object' && 'float' in value ? String(value.float) : String(value);
}
