/**
 * `config.json` of a vision-language model as zod sees it, and what its missing keys mean, by kind of model and by
 * kind of tower.
 */

import { z } from 'zod';
import type { JsonObject } from './files.js';

export const activations = ['gelu', 'gelu_pytorch_tanh', 'quick_gelu'] as const;
export type Activation = (typeof activations)[number];

/** Which reference decides about preprocessing, placeholders and the packing of features. */
export type VisionFamily = 'llava' | 'llava_onevision' | 'idefics3';

/** CLIP has a class token and a norm before its first layer; the SigLIP kind has neither. */
export type TowerKind = 'clip' | 'siglip';

const size = (max: number) => z.int().min(1).max(max);

export const towerSchema = z.looseObject({
  hidden_size: size(1 << 14),
  intermediate_size: size(1 << 17),
  num_hidden_layers: size(256),
  num_attention_heads: size(256),
  num_channels: z.literal(3).default(3),
  image_size: size(4096),
  patch_size: size(256),
  hidden_act: z.enum(activations),
  layer_norm_eps: z.number().gt(0).max(1),
});

export const modelSchema = z.looseObject({
  image_token_id: z.int().min(0).optional(),
  image_token_index: z.int().min(0).optional(),
  video_token_id: z.int().min(0).optional(),
  video_token_index: z.int().min(0).optional(),
  vision_feature_layer: z.int().optional(),
  vision_feature_select_strategy: z.enum(['default', 'full']).optional(),
  projector_hidden_act: z.enum(activations).default('gelu'),
  multimodal_projector_bias: z.boolean().default(true),
  scale_factor: size(16).default(2),
  image_grid_pinpoints: z
    .array(z.tuple([size(1 << 15), size(1 << 15)]))
    .max(256)
    .nullish(),
  vision_aspect_ratio: z
    .string()
    .regex(/^anyres_max_\d{1,3}$/)
    .default('anyres_max_9'),
});

export type ModelKeys = z.infer<typeof modelSchema>;

const siglip = {
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  image_size: 224,
  patch_size: 16,
  hidden_act: 'gelu_pytorch_tanh',
  layer_norm_eps: 1e-6,
};
const idefics3 = { ...siglip, hidden_size: 1152, num_attention_heads: 16, patch_size: 32 };

/** What a missing key of `vision_config` means, by its `model_type`. */
export const towers: Readonly<Record<string, { kind: TowerKind; defaults: JsonObject }>> = {
  clip_vision_model: {
    kind: 'clip',
    defaults: { ...siglip, patch_size: 32, hidden_act: 'quick_gelu', layer_norm_eps: 1e-5 },
  },
  siglip_vision_model: { kind: 'siglip', defaults: siglip },
  idefics3_vision: { kind: 'siglip', defaults: idefics3 },
  idefics3: { kind: 'siglip', defaults: idefics3 },
  smolvlm_vision: { kind: 'siglip', defaults: idefics3 },
};

/** Model types that this engine sees with, and what each of them means where its configuration is silent. */
export const families = {
  llava: {
    family: 'llava',
    tower: 'clip_vision_model',
    featureLayer: -2,
    strategy: 'default',
    imageToken: 32_000,
    videoToken: undefined,
  },
  llava_onevision: {
    family: 'llava_onevision',
    tower: 'siglip_vision_model',
    featureLayer: -1,
    strategy: 'full',
    imageToken: 151_646,
    videoToken: 151_647,
  },
  idefics3: {
    family: 'idefics3',
    tower: 'idefics3_vision',
    featureLayer: -1,
    strategy: 'full',
    imageToken: 128_257,
    videoToken: undefined,
  },
  smolvlm: {
    family: 'idefics3',
    tower: 'smolvlm_vision',
    featureLayer: -1,
    strategy: 'full',
    imageToken: 128_257,
    videoToken: undefined,
  },
} as const;

/** The grid of LLaVA-OneVision: 1 to 6 tiles of 384 pixels in either direction. */
export const defaultGrid = Array.from(
  { length: 36 },
  (_, i) => [384 * (1 + Math.floor(i / 6)), 384 * (1 + (i % 6))] as const,
);
