/** Serialises a lowered graph as an ONNX model whose weights lie in one external file beside it. */

import type { Attribute, Branch, Constant, Dim, Graph, Node, Port, StoredTensor } from './ir.js';
import { contribDomain } from './ir.js';
import { attributeTypes, dataTypes, externalDataLocation, ModelProto } from './onnx-schema.js';

const irVersion = 10;
const opsets = [
  { domain: '', version: 21 },
  { domain: contribDomain, version: 1 },
];

/** Where a stored tensor lies in the weight file, in bytes. */
export interface Placement {
  readonly offset: number;
  readonly length: number;
}

/** The bytes of the `.onnx` file. `weightFile` is its name relative to that file. */
export function encodeOnnx(
  graph: Graph,
  weightFile: string,
  placements: ReadonlyMap<string, Placement>,
): Uint8Array {
  const external = [...graph.stored.values()].map((tensor) =>
    externalTensor(tensor, weightFile, placements.get(tensor.name)!),
  );
  const model = {
    ir_version: irVersion,
    producer_name: 'trimtab',
    opset_import: opsets,
    graph: {
      name: 'trimtab',
      node: graph.nodes.map(encodeNode),
      initializer: [...[...graph.constants.values()].map(inlineTensor), ...external],
      input: graph.inputs.map(encodePort),
      output: graph.outputs.map(encodePort),
    },
  };
  return ModelProto.encode(ModelProto.create(model)).finish();
}

function encodeNode(node: Node): object {
  const attribute = Object.entries(node.attributes).map(([name, value]) => ({
    name,
    ...encodeAttribute(value),
  }));
  return {
    input: node.inputs,
    output: node.outputs,
    name: node.name,
    op_type: node.op,
    attribute,
    domain: node.domain,
  };
}

function encodeAttribute(value: Attribute): object {
  if (typeof value === 'number') return { type: attributeTypes.int, i: value };
  if (typeof value === 'string') return { type: attributeTypes.string, s: Buffer.from(value) };
  if ('float' in value) return { type: attributeTypes.float, f: value.float };
  if ('branch' in value) return { type: attributeTypes.graph, g: encodeBranch(value.branch) };
  return { type: attributeTypes.ints, ints: value };
}

function encodeBranch({ inputs, nodes, outputs }: Branch): object {
  return {
    name: 'branch',
    node: nodes.map(encodeNode),
    input: inputs.map(encodePort),
    output: outputs.map(encodePort),
  };
}

function encodePort({ name, dtype, shape }: Port): object {
  const tensor_type = { elem_type: dataTypes[dtype], shape: { dim: shape.map(encodeDim) } };
  return { name, type: { tensor_type } };
}

function encodeDim(dim: Dim): object {
  return typeof dim === 'number' ? { dim_value: dim } : { dim_param: dim };
}

function inlineTensor({ name, dtype, shape, values }: Constant): object {
  const data = dtype === 'int64' ? BigInt64Array.from(values.map(BigInt)) : Float32Array.from(values);
  return { name, dims: shape, data_type: dataTypes[dtype], raw_data: new Uint8Array(data.buffer) };
}

function externalTensor(
  { name, dtype, shape }: StoredTensor,
  file: string,
  { offset, length }: Placement,
): object {
  const external_data = [
    { key: 'location', value: file },
    { key: 'offset', value: String(offset) },
    { key: 'length', value: String(length) },
  ];
  return {
    name,
    dims: shape,
    data_type: dataTypes[dtype],
    external_data,
    data_location: externalDataLocation,
  };
}
