/** Shapes of the measured models and the names, shapes and kinds of their weights. */

import { join } from 'node:path';

export interface ModelShape {
  readonly family: 'llama' | 'qwen2';
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly intermediate: number;
  readonly vocab: number;
  readonly contextLength: number;
  readonly ropeTheta: number;
  readonly normEps: number;
}

/** Like SmolLM2-135M, Qwen2.5-0.5B and Llama-3.2-1B (the last without its rope scaling, which costs nothing). */
export const shapes = {
  '135m': {
    family: 'llama',
    layers: 30,
    hidden: 576,
    heads: 9,
    kvHeads: 3,
    headDim: 64,
    intermediate: 1536,
    vocab: 49_152,
    contextLength: 8192,
    ropeTheta: 100_000,
    normEps: 1e-5,
  },
  '0.5b': {
    family: 'qwen2',
    layers: 24,
    hidden: 896,
    heads: 14,
    kvHeads: 2,
    headDim: 64,
    intermediate: 4864,
    vocab: 151_936,
    contextLength: 32_768,
    ropeTheta: 1_000_000,
    normEps: 1e-6,
  },
  '1b': {
    family: 'llama',
    layers: 16,
    hidden: 2048,
    heads: 32,
    kvHeads: 8,
    headDim: 64,
    intermediate: 8192,
    vocab: 128_256,
    contextLength: 131_072,
    ropeTheta: 500_000,
    normEps: 1e-5,
  },
  /** Four layers of Vicuna-7B, the decoder of LLaVA-1.5-7B, with a small vocabulary. */
  '7b-slice': {
    family: 'llama',
    layers: 4,
    hidden: 4096,
    heads: 32,
    kvHeads: 32,
    headDim: 128,
    intermediate: 11_008,
    vocab: 2048,
    contextLength: 4096,
    ropeTheta: 10_000,
    normEps: 1e-5,
  },
} as const satisfies Record<string, ModelShape>;

export type ModelName = keyof typeof shapes;
/** Those that engines are compared on. */
export const modelNames: readonly ModelName[] = ['135m', '0.5b', '1b'];

export interface WeightSpec {
  readonly name: string;
  readonly shape: readonly [rows: number, columns: number] | readonly [length: number];
  readonly fill: 'normal' | 'ones';
}

/** Every weight under its Hugging Face name; the head is tied to the embedding. */
export function weightSpecs(shape: ModelShape): WeightSpec[] {
  const { hidden, intermediate, vocab } = shape;
  const queries = shape.heads * shape.headDim;
  const keys = shape.kvHeads * shape.headDim;
  const matrix = (name: string, rows: number, columns: number): WeightSpec => ({
    name: `${name}.weight`,
    shape: [rows, columns],
    fill: 'normal',
  });
  const norm = (name: string): WeightSpec => ({ name: `${name}.weight`, shape: [hidden], fill: 'ones' });
  const bias = (name: string, length: number): WeightSpec => ({
    name: `${name}.bias`,
    shape: [length],
    fill: 'normal',
  });
  const layer = (prefix: string): WeightSpec[] => [
    norm(`${prefix}.input_layernorm`),
    matrix(`${prefix}.self_attn.q_proj`, queries, hidden),
    matrix(`${prefix}.self_attn.k_proj`, keys, hidden),
    matrix(`${prefix}.self_attn.v_proj`, keys, hidden),
    ...(shape.family === 'qwen2'
      ? [
          bias(`${prefix}.self_attn.q_proj`, queries),
          bias(`${prefix}.self_attn.k_proj`, keys),
          bias(`${prefix}.self_attn.v_proj`, keys),
        ]
      : []),
    matrix(`${prefix}.self_attn.o_proj`, hidden, queries),
    norm(`${prefix}.post_attention_layernorm`),
    matrix(`${prefix}.mlp.gate_proj`, intermediate, hidden),
    matrix(`${prefix}.mlp.up_proj`, intermediate, hidden),
    matrix(`${prefix}.mlp.down_proj`, hidden, intermediate),
  ];
  return [
    matrix('model.embed_tokens', vocab, hidden),
    ...Array.from({ length: shape.layers }, (_, i) => layer(`model.layers.${i}`)).flat(),
    norm('model.norm'),
  ];
}

const workFolder = join(import.meta.dirname, '.work');

/** Where the generated files of a model are kept; git ignores the folder. */
export const checkpointFolder = (model: ModelName): string => join(workFolder, model);
export const ggufFile = (model: ModelName, type: 'q4_0' | 'q8_0'): string =>
  join(workFolder, `${model}.${type}.gguf`);
