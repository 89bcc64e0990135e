/**
 * Converts a random checkpoint to GGUF (version 3) in Q4_0 or Q8_0: `tsx gguf-writer.ts 135m [0.5b 1b]`.
 * Llama query and key rows are reordered, because llama.cpp rotates neighbouring pairs for that architecture
 * where Hugging Face rotates halves; for qwen2 both rotate halves.
 */

import { existsSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { packQ40, quantizeFourBit, quantizeQ80 } from './block-quantization.js';
import { CheckpointRows } from './checkpoint-rows.js';
import { ensureCheckpoint } from './random-checkpoint.js';
import { randomTokenizer } from './random-tokenizer.js';
import { ggufFile, type ModelName, type ModelShape, modelNames, shapes, weightSpecs } from './shapes.js';

export type GgufType = 'q4_0' | 'q8_0';

const alignment = 32;
const tensorTypes = {
  f32: { id: 0, bytes: (values: number) => 4 * values },
  q4_0: { id: 2, bytes: (values: number) => (values / 32) * 18 },
  q8_0: { id: 8, bytes: (values: number) => (values / 32) * 34 },
};
const fileTypes: Record<GgufType, number> = { q4_0: 2, q8_0: 7 };

interface GgufTensor {
  readonly source: string;
  readonly name: string;
  readonly type: keyof typeof tensorTypes;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

/** Writes the GGUF file unless it is there already, and returns its path. */
export async function ensureGguf(model: ModelName, type: GgufType): Promise<string> {
  const path = ggufFile(model, type);
  if (existsSync(path)) return path;
  const folder = await ensureCheckpoint(model);
  const checkpoint = new CheckpointRows(join(folder, 'model.safetensors'));
  const file = await open(`${path}.part`, 'w');
  try {
    await writeGguf(file, checkpoint, shapes[model], type);
  } finally {
    await file.close();
    checkpoint.close();
  }
  await rename(`${path}.part`, path);
  return path;
}

async function writeGguf(
  file: FileHandle,
  checkpoint: CheckpointRows,
  shape: ModelShape,
  type: GgufType,
): Promise<void> {
  const tensors = planTensors(shape, type);
  const metadata = metadataEntries(shape, type);
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    uint32(3),
    uint64(tensors.length),
    uint64(metadata.length),
    ...metadata,
    ...tensors.map(tensorInfo),
  ]);
  await file.write(padded(header));
  for (const tensor of tensors) await writeTensor(file, checkpoint, shape, tensor);
}

function planTensors(shape: ModelShape, type: GgufType): GgufTensor[] {
  let offset = 0;
  return weightSpecs(shape).map((spec) => {
    const values = spec.shape.reduce((product, size) => product * size, 1);
    const tensorType = spec.shape.length === 1 ? 'f32' : type;
    const bytes = tensorTypes[tensorType].bytes(values);
    const tensor = {
      source: spec.name,
      name: ggufName(spec.name),
      type: tensorType,
      shape: spec.shape,
      offset,
      bytes,
    } as const;
    offset += Math.ceil(bytes / alignment) * alignment;
    return tensor;
  });
}

async function writeTensor(
  file: FileHandle,
  checkpoint: CheckpointRows,
  shape: ModelShape,
  tensor: GgufTensor,
): Promise<void> {
  const encode = { f32: asBytes, q4_0: (v: Float32Array) => packQ40(quantizeFourBit(v)), q8_0: quantizeQ80 };
  const rotates = shape.family === 'llama' && /\.(q|k)_proj\.weight$/.test(tensor.source);
  const pieces = rotates
    ? [pairHalves(checkpoint.rows(tensor.source, 0, tensor.shape[0]!), tensor.shape[1]!, shape.headDim)]
    : checkpoint.pieces(tensor.source);
  for (const piece of pieces) await file.write(encode[tensor.type](piece));
  await file.write(Buffer.alloc(padding(tensor.bytes)));
}

/** Reorders the rows of each head from [first half, second half] to pairs: row 2i + j takes row j · half + i. */
function pairHalves(values: Float32Array, columns: number, headDim: number): Float32Array {
  const result = new Float32Array(values.length);
  const half = headDim / 2;
  for (let row = 0; row < values.length / columns; row++) {
    const inHead = row % headDim;
    const source = row - inHead + (inHead % 2) * half + Math.floor(inHead / 2);
    result.set(values.subarray(source * columns, (source + 1) * columns), row * columns);
  }
  return result;
}

const moduleNames: Record<string, string> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

function ggufName(name: string): string {
  if (name === 'model.embed_tokens.weight') return 'token_embd.weight';
  if (name === 'model.norm.weight') return 'output_norm.weight';
  const [, layer, module, kind] = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name)!;
  return `blk.${layer}.${moduleNames[module!]!}.${kind}`;
}

function metadataEntries(shape: ModelShape, type: GgufType): Buffer[] {
  const { pieces, merges, endOfText } = randomTokenizer(shape.vocab);
  const key = (name: string) => `${shape.family}.${name}`;
  const normalToken = 1;
  const controlToken = 3;
  return [
    stringEntry('general.architecture', shape.family),
    stringEntry('general.name', 'random'),
    uint32Entry('general.file_type', fileTypes[type]),
    uint32Entry('general.quantization_version', 2),
    uint32Entry(key('block_count'), shape.layers),
    uint32Entry(key('context_length'), shape.contextLength),
    uint32Entry(key('embedding_length'), shape.hidden),
    uint32Entry(key('feed_forward_length'), shape.intermediate),
    uint32Entry(key('attention.head_count'), shape.heads),
    uint32Entry(key('attention.head_count_kv'), shape.kvHeads),
    floatEntry(key('attention.layer_norm_rms_epsilon'), shape.normEps),
    uint32Entry(key('rope.dimension_count'), shape.headDim),
    floatEntry(key('rope.freq_base'), shape.ropeTheta),
    uint32Entry(key('vocab_size'), shape.vocab),
    stringEntry('tokenizer.ggml.model', 'gpt2'),
    stringEntry('tokenizer.ggml.pre', 'gpt-2'),
    stringsEntry('tokenizer.ggml.tokens', pieces),
    int32sEntry(
      'tokenizer.ggml.token_type',
      pieces.map((_, id) => (id === endOfText.id ? controlToken : normalToken)),
    ),
    stringsEntry(
      'tokenizer.ggml.merges',
      merges.map((pair) => pair.join(' ')),
    ),
    uint32Entry('tokenizer.ggml.eos_token_id', endOfText.id),
  ];
}

/** Dimensions are listed with the fastest-varying one first. */
function tensorInfo(tensor: GgufTensor): Buffer {
  return Buffer.concat([
    string(tensor.name),
    uint32(tensor.shape.length),
    ...tensor.shape.toReversed().map(uint64),
    uint32(tensorTypes[tensor.type].id),
    uint64(tensor.offset),
  ]);
}

const valueTypes = { uint32: 4, int32: 5, float32: 6, string: 8, array: 9 };

const entry = (name: string, type: keyof typeof valueTypes, ...value: Buffer[]): Buffer =>
  Buffer.concat([string(name), uint32(valueTypes[type]), ...value]);
const stringEntry = (name: string, value: string) => entry(name, 'string', string(value));
const uint32Entry = (name: string, value: number) => entry(name, 'uint32', uint32(value));
const floatEntry = (name: string, value: number) => entry(name, 'float32', asBytes(Float32Array.of(value)));
const arrayEntry = (name: string, type: keyof typeof valueTypes, count: number, values: Buffer) =>
  entry(name, 'array', uint32(valueTypes[type]), uint64(count), values);
const stringsEntry = (name: string, values: readonly string[]) =>
  arrayEntry(name, 'string', values.length, Buffer.concat(values.map(string)));
const int32sEntry = (name: string, values: readonly number[]) =>
  arrayEntry(name, 'int32', values.length, asBytes(Int32Array.from(values)));

function string(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  return asBytes(Uint32Array.of(value));
}

function uint64(value: number): Buffer {
  return asBytes(BigUint64Array.of(BigInt(value)));
}

function asBytes(values: ArrayBufferView): Buffer {
  return Buffer.from(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
}

const padding = (bytes: number): number => (alignment - (bytes % alignment)) % alignment;
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(padding(bytes.length))]);

if (process.argv[1] === import.meta.filename) {
  const wanted = process.argv.slice(2);
  for (const model of modelNames) {
    if (wanted.length > 0 && !wanted.includes(model)) continue;
    for (const type of ['q4_0', 'q8_0'] as const) console.log(await ensureGguf(model, type));
  }
}
