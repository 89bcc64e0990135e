/**
 * The eyes of a vision-language checkpoint: tower, projector and how the two meet, from `config.json` of
 * transformers 4 or 5. A key that would change the result and is not implemented is an error by name.
 */

import type { Checkpoint } from './checkpoint.js';
import type { DecoderConfig } from './decoder-config.js';
import { parseKeys } from './decoder-config.js';
import type { JsonObject } from './files.js';
import { invalidCheckpoint, isJsonObject, unsupportedModel } from './files.js';
import type { Activation, ModelKeys, TowerKind, VisionFamily } from './vision-schema.js';
import { defaultGrid, families, modelSchema, towerSchema, towers } from './vision-schema.js';
import { checkVisionTensors, findVisionPrefixes } from './vision-tensors.js';

/** A ViT encoder over square tiles. */
export interface TowerConfig {
  readonly kind: TowerKind;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Side of a tile, in pixels. */
  readonly imageSize: number;
  /** Side of a patch, in pixels; what a tile has beyond whole patches is not seen. */
  readonly patchSize: number;
  readonly activation: Activation;
  readonly layerNormEps: number;
  /** What stands before `embeddings.` and `encoder.layers.0`. */
  readonly tensorPrefix: string;
}

export type ProjectorConfig =
  | {
      readonly kind: 'mlp';
      readonly activation: Activation;
      readonly bias: boolean;
      readonly tensorPrefix: string;
    }
  /** Blocks of `factor` × `factor` patches become one row. */
  | { readonly kind: 'shuffle'; readonly factor: number; readonly tensorPrefix: string };

export interface VisionConfig {
  readonly family: VisionFamily;
  readonly tower: TowerConfig;
  /** Layers that run before the features are taken. */
  readonly featureLayers: number;
  /** The last norm of the tower belongs to the features. */
  readonly finalNorm: boolean;
  readonly keepsClassToken: boolean;
  readonly projector: ProjectorConfig;
  /** Width of the rows that enter the decoder. */
  readonly outputSize: number;
  /** The token that stands for a row of an image. */
  readonly imageTokenId: number;
  /** The token that stands for a row of a video, in models that were trained on videos. */
  readonly videoTokenId: number | undefined;
  /** Only LLaVA-OneVision: sizes `[height, width]` to tile an image for, and how many tiles keep their detail. */
  readonly anyResolution:
    | { readonly sizes: readonly (readonly [number, number])[]; readonly maxTiles: number }
    | undefined;
}

/**
 * Undefined for a checkpoint that reads text only.
 * @throws {TrimtabError} invalid_checkpoint or unsupported_model, naming the file and the key or tensor
 */
export function readVisionConfig(
  checkpoint: Checkpoint,
  { hiddenSize, vocabSize }: Pick<DecoderConfig, 'hiddenSize' | 'vocabSize'>,
): VisionConfig | undefined {
  const { config: raw, folder } = checkpoint;
  const file = `${folder}/config.json`;
  if (raw.vision_config === undefined || raw.vision_config === null) return undefined;
  const family = familyOf(file, raw);
  const keys = parseKeys(file, modelSchema, raw);
  const prefixes = findVisionPrefixes(checkpoint, family.family);
  const tower = { ...parseTower(file, raw.vision_config, family.tower), tensorPrefix: prefixes.tower };
  const strategy = keys.vision_feature_select_strategy ?? family.strategy;
  const config: VisionConfig = {
    family: family.family,
    tower,
    featureLayers: featureLayers(file, keys.vision_feature_layer ?? family.featureLayer, tower.layers),
    finalNorm: family.family === 'idefics3',
    keepsClassToken: keepsClassToken(file, tower.kind, strategy),
    projector: projector(family.family, keys, prefixes.projector),
    outputSize: hiddenSize,
    imageTokenId: keys.image_token_id ?? keys.image_token_index ?? family.imageToken,
    videoTokenId: family.videoToken && (keys.video_token_id ?? keys.video_token_index ?? family.videoToken),
    anyResolution: family.family === 'llava_onevision' ? anyResolution(keys) : undefined,
  };
  requireInVocabulary(file, 'image_token_id', config.imageTokenId, vocabSize);
  if (config.videoTokenId !== undefined) {
    requireInVocabulary(file, 'video_token_id', config.videoTokenId, vocabSize);
  }
  refuseUnevenShuffle(file, config);
  checkVisionTensors(checkpoint, config);
  return config;
}

function requireInVocabulary(file: string, key: string, id: number, vocabSize: number): void {
  if (id < vocabSize) return;
  throw invalidCheckpoint(file, `${key} ${id} is not below the vocab_size ${vocabSize}`);
}

/** Rows that the tower gives for a tile. */
export function towerTokens({ tower, keepsClassToken }: VisionConfig): number {
  return patchesPerSide(tower) ** 2 + (tower.kind === 'clip' && keepsClassToken ? 1 : 0);
}

/** True if a layer follows the features, so that its keys can say which rows are alike. */
export function hasMetric({
  tower,
  featureLayers,
  finalNorm,
}: Pick<VisionConfig, 'tower' | 'featureLayers' | 'finalNorm'>): boolean {
  return !finalNorm && featureLayers < tower.layers;
}

export function patchesPerSide({
  imageSize,
  patchSize,
}: Pick<TowerConfig, 'imageSize' | 'patchSize'>): number {
  return Math.floor(imageSize / patchSize);
}

function familyOf(file: string, raw: JsonObject): (typeof families)[keyof typeof families] {
  const family = Object.entries(families).find(([name]) => name === raw.model_type)?.[1];
  if (family !== undefined) return family;
  const known = Object.keys(families).join(', ');
  throw unsupportedModel(
    file,
    `model_type ${String(raw.model_type)} with a vision_config, supported are ${known}`,
  );
}

function parseTower(file: string, raw: unknown, fallback: string): Omit<TowerConfig, 'tensorPrefix'> {
  if (!isJsonObject(raw)) throw invalidCheckpoint(file, 'vision_config should be an object');
  const type = String(raw.model_type ?? fallback);
  const known = towers[type];
  if (known === undefined) {
    throw unsupportedModel(
      file,
      `vision_config.model_type is ${type}, supported are ${Object.keys(towers).join(', ')}`,
    );
  }
  const keys = parseKeys(file, towerSchema, { ...known.defaults, ...raw });
  if (keys.hidden_size % keys.num_attention_heads !== 0) {
    throw invalidCheckpoint(
      file,
      `vision_config: hidden_size ${keys.hidden_size} is not a multiple of num_attention_heads ${keys.num_attention_heads}`,
    );
  }
  if (keys.patch_size > keys.image_size) {
    throw invalidCheckpoint(
      file,
      `vision_config: patch_size ${keys.patch_size} is over image_size ${keys.image_size}`,
    );
  }
  return {
    kind: known.kind,
    hiddenSize: keys.hidden_size,
    intermediateSize: keys.intermediate_size,
    layers: keys.num_hidden_layers,
    heads: keys.num_attention_heads,
    imageSize: keys.image_size,
    patchSize: keys.patch_size,
    activation: keys.hidden_act,
    layerNormEps: keys.layer_norm_eps,
  };
}

/** Counts like transformers: 0 is the input of the first layer, −1 the output of the last. */
function featureLayers(file: string, index: number, layers: number): number {
  const count = index < 0 ? layers + 1 + index : index;
  if (count >= 1 && count <= layers) return count;
  throw invalidCheckpoint(file, `vision_feature_layer ${index} of a tower with ${layers} layers`);
}

/** `default` drops the first row, which is the class token of CLIP; of SigLIP it would be a patch. */
function keepsClassToken(file: string, kind: TowerKind, strategy: 'default' | 'full'): boolean {
  if (kind === 'clip' || strategy === 'full') return strategy === 'full';
  throw unsupportedModel(file, 'vision_feature_select_strategy default is not supported with a SigLIP tower');
}

function projector(family: VisionFamily, keys: ModelKeys, tensorPrefix: string): ProjectorConfig {
  if (family === 'idefics3') return { kind: 'shuffle', factor: keys.scale_factor, tensorPrefix };
  const { projector_hidden_act: activation, multimodal_projector_bias: bias } = keys;
  return { kind: 'mlp', activation, bias, tensorPrefix };
}

function anyResolution(keys: ModelKeys): VisionConfig['anyResolution'] {
  const maxTiles = Number(keys.vision_aspect_ratio.slice('anyres_max_'.length));
  return { sizes: keys.image_grid_pinpoints ?? defaultGrid, maxTiles };
}

function refuseUnevenShuffle(file: string, { projector, tower }: VisionConfig): void {
  if (projector.kind !== 'shuffle' || patchesPerSide(tower) % projector.factor === 0) return;
  const side = patchesPerSide(tower);
  throw invalidCheckpoint(
    file,
    `scale_factor ${projector.factor} does not divide the ${side} patches of a side`,
  );
}
