/**
 * `config.json` of a decoder as zod sees it: the keys that this engine understands, the keys that would change
 * the result in ways it does not implement, and the defaults that transformers fills in per family.
 */

import { z } from 'zod';

const size = (max: number) => z.int().min(1).max(max);
const positive = z.number().gt(0).max(1e12);
const tokenIds = z.union([z.int().min(0), z.array(z.int().min(0)).max(256)]).nullish();

const ropeSchema = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: positive.optional(),
  factor: positive.optional(),
  low_freq_factor: positive.optional(),
  high_freq_factor: positive.optional(),
  original_max_position_embeddings: size(1e9).optional(),
  partial_rotary_factor: z.number().optional(),
});

export type RopeKeys = z.infer<typeof ropeSchema>;

export const decoderSchema = z.looseObject({
  hidden_size: size(1 << 16),
  intermediate_size: size(1 << 20),
  num_hidden_layers: size(1024),
  num_attention_heads: size(1024),
  num_key_value_heads: size(1024).nullish(),
  head_dim: size(4096).nullish(),
  vocab_size: size(1 << 22),
  max_position_embeddings: size(1e9),
  rms_norm_eps: z.number().gt(0).max(1),
  rope_theta: positive.optional(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
  tie_word_embeddings: z.boolean().optional(),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  sliding_window: z.int().min(0).nullish(),
  use_sliding_window: z.boolean().optional(),
  max_window_layers: z.int().min(0).nullish(),
  bos_token_id: z.int().nullish(),
  eos_token_id: tokenIds,
});

export type DecoderKeys = z.infer<typeof decoderSchema>;
export const generationSchema = z.looseObject({ eos_token_id: tokenIds });

export const families = ['llama', 'mistral', 'qwen2', 'qwen3'] as const;
export type Family = (typeof families)[number];

const shared = {
  vocab_size: 32_000,
  hidden_size: 4096,
  intermediate_size: 11_008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-6,
};
const qwen = {
  vocab_size: 151_936,
  intermediate_size: 22_016,
  num_key_value_heads: 32,
  max_position_embeddings: 32_768,
};

/** What a missing key means: a nested `text_config` lists only what differs from these. */
export const familyDefaults: Readonly<Record<Family, Readonly<Record<string, unknown>>>> = {
  llama: shared,
  mistral: {
    ...shared,
    intermediate_size: 14_336,
    num_key_value_heads: 8,
    max_position_embeddings: 131_072,
    sliding_window: 4096,
  },
  qwen2: { ...shared, ...qwen },
  qwen3: { ...shared, ...qwen, head_dim: 128 },
};

/** Keys that change the result and the values at which they do not; any other value is `unsupported_model`. */
export const neutralValues: Readonly<Record<string, readonly unknown[]>> = {
  hidden_act: ['silu', 'swish'],
  hidden_activation: ['silu', 'swish'],
  attn_logit_softcapping: [],
  final_logit_softcapping: [],
  query_pre_attn_scalar: [],
  clip_qkv: [],
  qkv_clip: [],
  partial_rotary_factor: [1],
  rope_interleaved: [false],
  use_qk_norm: [false],
  qk_layernorm: [false],
  qk_layer_norms: [false],
  use_mrope: [false],
  logit_scale: [1],
  logits_scaling: [1],
  embedding_multiplier: [1],
  attention_multiplier: [],
  residual_multiplier: [1],
  embedding_size: [],
  num_experts: [0],
  num_local_experts: [0],
  n_routed_experts: [0],
  no_rope_layers: [],
  alibi: [false],
  attention_sinks: [false],
  pretraining_tp: [1],
  quantization_config: [],
  compression_config: [],
  add_cross_attention: [false],
  is_encoder_decoder: [false],
};
