/**
 * Converts a random checkpoint to the 4-bit ONNX layout that transformers.js loads (`onnx/model_q4.onnx`), as the
 * published exports are built: one packed q/k/v MatMulNBits, GroupQueryAttention with its own rotary embedding,
 * float32 embedding table, `num_logits_to_keep`. `tsx onnx-export.ts 135m [0.5b 1b]`.
 */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { blockSize, packMatMulNBits, quantizeFourBit } from './block-quantization.js';
import { CheckpointRows } from './checkpoint-rows.js';
import { asBuffer, encodeModel, type Node, OnnxTensors, type ValueInfo } from './onnx-file.js';
import { ensureCheckpoint } from './random-checkpoint.js';
import { type ModelName, type ModelShape, modelNames, shapes } from './shapes.js';

const fileName = 'model_q4.onnx';
const rotaryPositions = 4096;
const microsoft = 'com.microsoft';

/** Writes the ONNX files into the checkpoint folder unless they are there, and returns that folder. */
export async function ensureOnnx(model: ModelName): Promise<string> {
  const folder = await ensureCheckpoint(model);
  const path = join(folder, 'onnx', fileName);
  if (existsSync(path)) return folder;
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  const checkpoint = new CheckpointRows(join(folder, 'model.safetensors'));
  const data = await open(`${path}_data`, 'w');
  try {
    const decoder = new DecoderExport(shapes[model], checkpoint, new OnnxTensors(data, `${fileName}_data`));
    writeFileSync(path, await decoder.export());
  } finally {
    await data.close();
    checkpoint.close();
  }
  return folder;
}

class DecoderExport {
  readonly #shape: ModelShape;
  readonly #checkpoint: CheckpointRows;
  readonly #tensors: OnnxTensors;
  readonly #nodes: Node[] = [];

  constructor(shape: ModelShape, checkpoint: CheckpointRows, tensors: OnnxTensors) {
    this.#shape = shape;
    this.#checkpoint = checkpoint;
    this.#tensors = tensors;
  }

  async export(): Promise<Buffer> {
    const { layers, hidden, vocab, kvHeads, headDim } = this.#shape;
    this.#addLengths();
    this.#addRotaryTables();
    await this.#tensors.addExternal(
      'embed',
      'float',
      [vocab, hidden],
      this.#floats('model.embed_tokens.weight'),
    );
    let residual = this.#add('Gather', ['embed', 'input_ids'], ['embedded']);
    let normed = this.#add(
      'SimplifiedLayerNormalization',
      [residual, this.#norm('model.layers.0.input_layernorm')],
      ['normed.0'],
      this.#normAttributes,
    );
    for (let layer = 0; layer < layers; layer++) {
      const prefix = `model.layers.${layer}`;
      const attended = await this.#attention(layer, normed);
      [normed, residual] = this.#skipNorm(attended, residual, `${prefix}.post_attention_layernorm`);
      const mixed = await this.#mlp(prefix, normed);
      const next = layer + 1 < layers ? `model.layers.${layer + 1}.input_layernorm` : 'model.norm';
      [normed, residual] = this.#skipNorm(mixed, residual, next);
    }
    await this.#head(normed);
    const cache = (kind: string, length: string): ValueInfo[] =>
      Array.from({ length: layers }, (_, layer) =>
        ['key', 'value'].map((part) => ({
          name: `${kind}.${layer}.${part}`,
          type: 'float' as const,
          shape: ['batch_size', kvHeads, length, headDim],
        })),
      ).flat();
    const inputs: ValueInfo[] = [
      { name: 'input_ids', type: 'int64', shape: ['batch_size', 'sequence_length'] },
      { name: 'attention_mask', type: 'int64', shape: ['batch_size', 'total_sequence_length'] },
      { name: 'num_logits_to_keep', type: 'int64', shape: [] },
      ...cache('past_key_values', 'past_sequence_length'),
    ];
    const outputs: ValueInfo[] = [
      { name: 'logits', type: 'float', shape: ['batch_size', 'kept_length', vocab] },
      ...cache('present', 'total_sequence_length'),
    ];
    return encodeModel(this.#nodes, this.#tensors, inputs, outputs);
  }

  /** attention_mask → `seqlens_k` (length of each row minus one) and `total_length`. */
  #addLengths(): void {
    const int32 = { to: 6 };
    this.#integers('axis.1', [1], 1n);
    this.#integers('one', [], 1n);
    const counts = this.#add('ReduceSum', ['attention_mask', 'axis.1'], ['mask.sum'], { keepdims: 0 });
    const last = this.#add('Sub', [counts, 'one'], ['mask.last']);
    this.#add('Cast', [last], ['seqlens_k'], int32);
    const maskShape = this.#add('Shape', ['attention_mask'], ['mask.shape']);
    const total = this.#add('Gather', [maskShape, 'one'], ['mask.length']);
    this.#add('Cast', [total], ['total_length'], int32);
  }

  #addRotaryTables(): void {
    const half = this.#shape.headDim / 2;
    const angle = (index: number) =>
      Math.floor(index / half) * this.#shape.ropeTheta ** (-(index % half) / half);
    const length = { length: rotaryPositions * half };
    const table = (name: string, wave: (angle: number) => number) =>
      this.#tensors.addInline(
        name,
        'float',
        [rotaryPositions, half],
        Float32Array.from(length, (_, i) => wave(angle(i))),
      );
    table('cos_cache', Math.cos);
    table('sin_cache', Math.sin);
  }

  async #attention(layer: number, normed: string): Promise<string> {
    const { family, heads, kvHeads, headDim } = this.#shape;
    const prefix = `model.layers.${layer}.self_attn`;
    const parts = ['q_proj', 'k_proj', 'v_proj'].map((part) => `${prefix}.${part}`);
    let qkv = await this.#matmul(
      `${prefix}.qkv`,
      normed,
      parts.map((part) => `${part}.weight`),
    );
    if (family === 'qwen2') {
      const bias = parts.flatMap((part) => [...this.#checkpoint.rows(`${part}.bias`, 0, 1)]);
      this.#tensors.addInline(`${prefix}.bias`, 'float', [bias.length], Float32Array.from(bias));
      qkv = this.#add('Add', [qkv, `${prefix}.bias`], [`${prefix}.biased`]);
    }
    const past = ['key', 'value'].map((part) => `past_key_values.${layer}.${part}`);
    const present = ['key', 'value'].map((part) => `present.${layer}.${part}`);
    const attended = this.#add(
      'GroupQueryAttention',
      [qkv, '', '', ...past, 'seqlens_k', 'total_length', 'cos_cache', 'sin_cache'],
      [`${prefix}.attended`, ...present],
      { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, scale: { float: headDim ** -0.5 } },
      microsoft,
    );
    return this.#matmul(`${prefix}.o`, attended, [`${prefix}.o_proj.weight`]);
  }

  async #mlp(prefix: string, normed: string): Promise<string> {
    const gate = await this.#matmul(`${prefix}.gate`, normed, [`${prefix}.mlp.gate_proj.weight`]);
    const up = await this.#matmul(`${prefix}.up`, normed, [`${prefix}.mlp.up_proj.weight`]);
    const sigmoid = this.#add('Sigmoid', [gate], [`${prefix}.sigmoid`]);
    const silu = this.#add('Mul', [gate, sigmoid], [`${prefix}.silu`]);
    const product = this.#add('Mul', [silu, up], [`${prefix}.product`]);
    return this.#matmul(`${prefix}.down`, product, [`${prefix}.mlp.down_proj.weight`]);
  }

  /** Logits of the last `num_logits_to_keep` rows; 0 keeps all, because a slice from −0 does. */
  async #head(normed: string): Promise<void> {
    this.#integers('end', [1], BigInt(Number.MAX_SAFE_INTEGER));
    this.#integers('keep.shape', [1], 1n);
    const negative = this.#add('Neg', ['num_logits_to_keep'], ['keep.negative']);
    const start = this.#add('Reshape', [negative, 'keep.shape'], ['keep.start']);
    const kept = this.#add('Slice', [normed, start, 'end', 'axis.1'], ['kept']);
    await this.#matmul('head', kept, ['model.embed_tokens.weight'], 'logits');
  }

  /** One 4-bit product with the rows of all `weights` stacked. */
  async #matmul(
    name: string,
    input: string,
    weights: readonly string[],
    output = `${name}.out`,
  ): Promise<string> {
    const shapes = weights.map((weight) => this.#checkpoint.shape(weight));
    const rows = shapes.reduce((sum, [count]) => sum + count, 0);
    const columns = shapes[0]![1];
    const blocks = columns / blockSize;
    const scales: Float32Array[] = [];
    const checkpoint = this.#checkpoint;
    function* packed(): Generator<Uint8Array> {
      for (const weight of weights) {
        for (const piece of checkpoint.pieces(weight)) {
          const quantized = quantizeFourBit(piece);
          scales.push(quantized.scales);
          yield packMatMulNBits(quantized);
        }
      }
    }
    await this.#tensors.addExternal(`${name}.quants`, 'uint8', [rows, blocks, blockSize / 2], packed());
    await this.#tensors.addExternal(`${name}.scales`, 'float', [rows * blocks], scales.map(asBuffer));
    const attributes = { K: columns, N: rows, bits: 4, block_size: blockSize, accuracy_level: 4 };
    return this.#add(
      'MatMulNBits',
      [input, `${name}.quants`, `${name}.scales`],
      [output],
      attributes,
      microsoft,
    );
  }

  get #normAttributes() {
    return { axis: -1, epsilon: { float: this.#shape.normEps }, stash_type: 1 };
  }

  #norm(module: string): string {
    const name = `${module}.weight`;
    this.#tensors.addInline(name, 'float', [this.#shape.hidden], this.#checkpoint.rows(name, 0, 1));
    return name;
  }

  /** `x + residual`, and that normalised: returns `[normed, sum]`. */
  #skipNorm(x: string, residual: string, module: string): [normed: string, sum: string] {
    const outputs: [string, string] = [`${module}.out`, `${module}.sum`];
    const inputs = [x, residual, this.#norm(module)];
    const attributes = { epsilon: { float: this.#shape.normEps } };
    this.#add(
      'SkipSimplifiedLayerNormalization',
      inputs,
      [outputs[0], '', '', outputs[1]],
      attributes,
      microsoft,
    );
    return outputs;
  }

  *#floats(weight: string): Generator<Uint8Array> {
    for (const piece of this.#checkpoint.pieces(weight)) yield asBuffer(piece);
  }

  #integers(name: string, shape: readonly number[], value: bigint): void {
    this.#tensors.addInline(name, 'int64', shape, BigInt64Array.of(value));
  }

  #add(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Node['attributes'] = {},
    domain = '',
  ): string {
    this.#nodes.push({ name: `/${outputs[0]!}`, op, inputs, outputs, attributes, domain });
    return outputs[0]!;
  }
}

if (process.argv[1] === import.meta.filename) {
  const wanted = process.argv.slice(2);
  for (const model of modelNames) {
    if (wanted.length === 0 || wanted.includes(model)) console.log(await ensureOnnx(model));
  }
}
