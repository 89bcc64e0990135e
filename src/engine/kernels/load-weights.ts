/** Brings the weights of a compiled model into the order and the memory of the kernels. */

import type { CompiledModel } from '../compiler/compiled-model.js';
import { blocksPerRow } from '../quantization/block-quantizer.js';
import type { DecoderWeights, LayerWeights, PackedMatrix } from './decoder-layout.js';
import type { KernelMemory } from './kernel-memory.js';
import { groupOutputs } from './matmul.js';
import { type BlockRows, groupBytes, groupsFor, packGroups } from './packed-matrix.js';

/** Reads stored tensors of the model by name. */
class WeightLoader {
  readonly #model: CompiledModel;
  readonly #memory: KernelMemory;

  constructor(model: CompiledModel, memory: KernelMemory) {
    this.#model = model;
    this.#memory = memory;
  }

  vector(name: string): number {
    return this.#place(this.#floats(name));
  }

  vectorIfAny(name: string): number | undefined {
    return this.#model.hasTensor(name) ? this.vector(name) : undefined;
  }

  matrix(name: string, columns: number): PackedMatrix {
    return this.#pack([this.#rows(name)], blocksPerRow(columns), this.#bias(name, 1));
  }

  /** The upper and the lower half of the outputs of a matrix, their groups taking turns. */
  halves(name: string, columns: number): PackedMatrix {
    const blocks = blocksPerRow(columns);
    const { packed, scales } = this.#rows(name);
    const [codes, floats] = [packed.length / 2, scales.length / 2];
    const half = (from: number): BlockRows => ({
      packed: packed.subarray(from * codes, (from + 1) * codes),
      scales: scales.subarray(from * floats, (from + 1) * floats),
    });
    return this.#pack([half(0), half(1)], blocks, this.#bias(name, 2));
  }

  #pack(parts: readonly BlockRows[], blocks: number, bias: number | undefined): PackedMatrix {
    const groups = groupsFor(parts[0]!.scales.length / blocks) * parts.length;
    const bytes = groups * groupBytes(blocks);
    const address = this.#memory.take(bytes);
    const target = this.#memory.bytes(address, bytes);
    for (const [i, part] of parts.entries()) packGroups(part, blocks, target, i, parts.length);
    return { address, groups, blocks, bias };
  }

  /** In the order of the outputs of `parts` whose groups take turns. */
  #bias(name: string, parts: number): number | undefined {
    if (!this.#model.hasTensor(`${name}.bias`)) return undefined;
    const values = this.#floats(`${name}.bias`);
    const count = values.length / parts;
    const groups = groupsFor(count);
    const ordered = new Float32Array(groups * parts * groupOutputs);
    values.forEach((value, i) => {
      const [part, output] = [Math.floor(i / count), i % count];
      const group = Math.floor(output / groupOutputs) * parts + part;
      ordered[group * groupOutputs + (output % groupOutputs)] = value;
    });
    return this.#place(ordered);
  }

  #place(values: Float32Array): number {
    const address = this.#memory.take(4 * values.length);
    this.#memory.floats(address, values.length).set(values);
    return address;
  }

  #rows(name: string): BlockRows {
    return { packed: this.#model.readTensor(`${name}.packed`), scales: this.#floats(`${name}.scales`) };
  }

  #floats(name: string): Float32Array {
    const bytes = this.#model.readTensor(name);
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  }
}

export function loadWeights(model: CompiledModel, memory: KernelMemory): DecoderWeights {
  const { layers, hiddenSize } = model.config;
  const loader = new WeightLoader(model, memory);
  return {
    layers: Array.from({ length: layers }, (_, layer) => loadLayer(loader, model, `layers.${layer}`)),
    finalNorm: loader.vector('final_norm.weight'),
    head: loader.matrix('logits', hiddenSize),
  };
}

function loadLayer(loader: WeightLoader, { config }: CompiledModel, path: string): LayerWeights {
  const { hiddenSize, intermediateSize, heads, headDim } = config;
  return {
    inputNorm: loader.vector(`${path}/input_norm.weight`),
    qkv: loader.matrix(`${path}/qkv`, hiddenSize),
    queryNorm: loader.vectorIfAny(`${path}/attention/query_norm.weight`),
    keyNorm: loader.vectorIfAny(`${path}/attention/key_norm.weight`),
    attentionOut: loader.matrix(`${path}/attention_out`, heads * headDim),
    postAttentionNorm: loader.vector(`${path}/post_attention_norm.weight`),
    gateUp: loader.halves(`${path}/gate_up`, hiddenSize),
    down: loader.matrix(`${path}/down`, intermediateSize),
  };
}
