/** Names and shapes of the tensors of a decoder, and the check that a checkpoint has exactly those. */

import type { Checkpoint } from './checkpoint.js';
import type { DecoderConfig } from './decoder-config.js';
import { isFloatDtype } from './dtype.js';
import { invalidCheckpoint, unsupportedModel } from './files.js';
import type { TensorInfo } from './safetensors.js';

/** A weight is `[out, in]`, a bias `[out]`. */
export interface ProjectionNames {
  readonly weight: string;
  readonly bias: string | undefined;
}

export interface LayerTensorNames {
  readonly inputNorm: string;
  readonly postAttentionNorm: string;
  readonly q: ProjectionNames;
  readonly k: ProjectionNames;
  readonly v: ProjectionNames;
  readonly o: ProjectionNames;
  readonly qNorm: string | undefined;
  readonly kNorm: string | undefined;
  readonly gate: ProjectionNames;
  readonly up: ProjectionNames;
  readonly down: ProjectionNames;
}

export interface DecoderTensorNames {
  /** `[vocab, hidden]` */
  readonly embedding: string;
  readonly layers: readonly LayerTensorNames[];
  readonly finalNorm: string;
  /** `[vocab, hidden]`; the embedding itself where the two are tied. */
  readonly head: string;
}

const embeddingName = 'embed_tokens.weight';
/** Tables that old checkpoints carry and that follow from the configuration. */
const ignoredBuffer = /rotary_emb\.(inv_freq|cos_cached|sin_cached)$|\.attn\.(masked_)?bias$/;

type PrefixedConfig = Pick<
  DecoderConfig,
  'layers' | 'tensorPrefix' | 'tieWordEmbeddings' | 'attentionBias' | 'mlpBias' | 'qkNorm'
>;

export function decoderTensorNames(config: PrefixedConfig): DecoderTensorNames {
  const prefix = config.tensorPrefix;
  const embedding = `${prefix}${embeddingName}`;
  return {
    embedding,
    layers: Array.from({ length: config.layers }, (_, i) => layerNames(config, `${prefix}layers.${i}`)),
    finalNorm: `${prefix}norm.weight`,
    head: config.tieWordEmbeddings ? embedding : headName(prefix),
  };
}

function layerNames(config: PrefixedConfig, layer: string): LayerTensorNames {
  const { attentionBias, mlpBias, qkNorm } = config;
  const projection = (name: string, bias: boolean): ProjectionNames => ({
    weight: `${layer}.${name}.weight`,
    bias: bias ? `${layer}.${name}.bias` : undefined,
  });
  return {
    inputNorm: `${layer}.input_layernorm.weight`,
    postAttentionNorm: `${layer}.post_attention_layernorm.weight`,
    q: projection('self_attn.q_proj', attentionBias.qkv),
    k: projection('self_attn.k_proj', attentionBias.qkv),
    v: projection('self_attn.v_proj', attentionBias.qkv),
    o: projection('self_attn.o_proj', attentionBias.output),
    qNorm: qkNorm ? `${layer}.self_attn.q_norm.weight` : undefined,
    kNorm: qkNorm ? `${layer}.self_attn.k_norm.weight` : undefined,
    gate: projection('mlp.gate_proj', mlpBias),
    up: projection('mlp.up_proj', mlpBias),
    down: projection('mlp.down_proj', mlpBias),
  };
}

/** Beside `language_model.model.` it is `language_model.lm_head`, beside every other prefix plain `lm_head`. */
function headName(prefix: string): string {
  const outer = prefix.endsWith('.model.') ? prefix.slice(0, -'model.'.length) : '';
  return `${outer}lm_head.weight`;
}

/** What stands before `embed_tokens.weight`; an error unless exactly one tensor has that name. */
export function findTensorPrefix(checkpoint: Checkpoint): string {
  const names = [...checkpoint.tensors.keys()].filter(isEmbedding);
  if (names.length === 1) return names[0]!.slice(0, -embeddingName.length);
  const found = names.length === 0 ? 'no tensor' : names.slice(0, 5).join(', ');
  throw invalidCheckpoint(checkpoint.folder, `expected one tensor named (…)${embeddingName}, found ${found}`);
}

function isEmbedding(name: string): boolean {
  return name === embeddingName || name.endsWith(`.${embeddingName}`);
}

/** Every tensor that the configuration asks for is there, in a float type and the right shape, and no other. */
export function checkDecoderTensors(checkpoint: Checkpoint, config: DecoderConfig): void {
  const expected = expectedShapes(config);
  for (const [name, shape] of expected) checkTensor(checkpoint, name, shape);
  refuseUnexpected(checkpoint, config, expected);
  if (config.tieWordEmbeddings) refuseSeparateHead(checkpoint, config);
}

function expectedShapes(config: DecoderConfig): Map<string, readonly number[]> {
  const names = decoderTensorNames(config);
  const { hiddenSize: hidden, vocabSize: vocab } = config;
  return new Map<string, readonly number[]>([
    [names.embedding, [vocab, hidden]],
    [names.finalNorm, [hidden]],
    [names.head, [vocab, hidden]],
    ...names.layers.flatMap((layer) => layerShapes(config, layer)),
  ]);
}

function layerShapes(config: DecoderConfig, layer: LayerTensorNames): [string, readonly number[]][] {
  const { hiddenSize: hidden, intermediateSize: inner, heads, kvHeads, headDim } = config;
  const projection = ({ weight, bias }: ProjectionNames, out: number, from: number) =>
    [[weight, [out, from]] as const, [bias, [out]] as const] as const;
  const shapes: (readonly [string | undefined, readonly number[]])[] = [
    [layer.inputNorm, [hidden]],
    [layer.postAttentionNorm, [hidden]],
    [layer.qNorm, [headDim]],
    [layer.kNorm, [headDim]],
    ...projection(layer.q, heads * headDim, hidden),
    ...projection(layer.k, kvHeads * headDim, hidden),
    ...projection(layer.v, kvHeads * headDim, hidden),
    ...projection(layer.o, hidden, heads * headDim),
    ...projection(layer.gate, inner, hidden),
    ...projection(layer.up, inner, hidden),
    ...projection(layer.down, hidden, inner),
  ];
  return shapes.flatMap(([name, shape]) => (name === undefined ? [] : [[name, shape]]));
}

export function checkTensor(checkpoint: Checkpoint, name: string, shape: readonly number[]): void {
  const tensor = checkpoint.tensor(name);
  if (!isFloatDtype(tensor.dtype)) {
    throw unsupportedModel(tensor.file, `tensor ${name} is ${tensor.dtype}, supported are F32, F16 and BF16`);
  }
  if (tensor.shape.join() !== shape.join()) {
    const facts = `has shape [${tensor.shape}], expected [${shape}] from config.json`;
    throw invalidCheckpoint(tensor.file, `tensor ${name} ${facts}`);
  }
}

/** A leftover tensor means that the model computes something which this graph would not. */
function refuseUnexpected(
  checkpoint: Checkpoint,
  config: DecoderConfig,
  expected: Map<string, unknown>,
): void {
  const head = headName(config.tensorPrefix);
  const ours = [decoderNamespace(checkpoint, config), head.slice(0, -'weight'.length)];
  for (const { name, file } of checkpoint.tensors.values()) {
    const isOurs = ours.some((namespace) => name.startsWith(namespace));
    if (!isOurs || expected.has(name) || name === head || ignoredBuffer.test(name)) continue;
    const decoder = `a ${config.family} decoder of ${config.layers} layers`;
    throw unsupportedModel(
      file,
      `unexpected tensor ${name}, which ${decoder} as in config.json does not have`,
    );
  }
}

/** In a vision-language model other parts may share the short prefixes; its decoder owns the layers at least. */
function decoderNamespace(checkpoint: Checkpoint, { tensorPrefix }: DecoderConfig): string {
  const isShared = tensorPrefix === '' || tensorPrefix === 'model.';
  return isShared && checkpoint.config.text_config !== undefined ? `${tensorPrefix}layers.` : tensorPrefix;
}

/** Some tools save a tied head a second time. Equal bytes are harmless; others contradict the configuration. */
function refuseSeparateHead(checkpoint: Checkpoint, config: DecoderConfig): void {
  const head = checkpoint.tensors.get(headName(config.tensorPrefix));
  if (head === undefined) return;
  const embedding = checkpoint.tensor(decoderTensorNames(config).embedding);
  if (head.shape.join() === embedding.shape.join() && equalRows(checkpoint, head, embedding, config)) return;
  throw invalidCheckpoint(
    head.file,
    `tie_word_embeddings is true, but ${head.name} differs from ${embedding.name}`,
  );
}

function equalRows(checkpoint: Checkpoint, a: TensorInfo, b: TensorInfo, config: DecoderConfig): boolean {
  const rowsPerRead = Math.max(1, Math.floor(262_144 / config.hiddenSize));
  for (let row = 0; row < config.vocabSize; row += rowsPerRead) {
    const rows = Math.min(rowsPerRead, config.vocabSize - row);
    const left = Buffer.from(checkpoint.readRows(a, row, rows).buffer);
    if (!left.equals(Buffer.from(checkpoint.readRows(b, row, rows).buffer))) return false;
  }
  return true;
}
