/**
 * Opens the residual stream: the input of each asked layer (layer 0: the embeddings) and, for layer L, the
 * normalised output, as graph outputs `hidden.<layer>` `[lanes, rows, width]`. The numbering is that of
 * `hidden_states` in transformers.
 */

import type { Graph, Port } from '../ir.js';
import type { Pass } from './pass.js';

export function hiddenStates(layers: readonly number[], layerCount: number, width: number): Pass {
  return {
    name: `hidden-states(${layers})`,
    run(graph) {
      const opened = layers.map((layer) =>
        markedValue(graph, layer === layerCount ? 'final' : `residual.${layer}`),
      );
      const ports = layers.map(
        (layer): Port => ({
          name: `hidden.${layer}`,
          dtype: 'float32',
          shape: ['lanes', 'rows', width],
        }),
      );
      return {
        ...graph,
        outputs: [...graph.outputs, ...ports],
        nodes: [...graph.nodes, ...opened.map((value, i) => copyNode(value, ports[i]!.name))],
        constants: new Map(graph.constants).set(keepShape.name, keepShape),
      };
    },
  };
}

/** Zeros copy the dimensions of the input: a reshape to itself, because an output needs a name of its own. */
const keepShape = { name: 'hidden/shape', dtype: 'int64', shape: [3], values: [0, 0, 0] } as const;

function copyNode(value: string, name: string) {
  return {
    name,
    op: 'Reshape',
    domain: '',
    inputs: [value, keepShape.name],
    outputs: [name],
    attributes: {},
  };
}

function markedValue(graph: Graph, mark: string): string {
  const value = graph.marks.get(mark);
  if (value === undefined) throw new RangeError(`the graph has no ${mark}`);
  return value;
}
